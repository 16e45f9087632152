/// A version of the protocol, such as 3.2.
package struct ProtocolVersion: Hashable, Sendable, CustomStringConvertible {
    package var major: Int
    package var minor: Int

    package init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    init(code: Int32) {
        self.init(Int(UInt32(bitPattern: code) >> 16), Int(UInt32(bitPattern: code) & 0xFFFF))
    }

    var code: Int32 { Int32(bitPattern: UInt32(major) << 16 | UInt32(minor)) }

    package static let oldest = ProtocolVersion(3, 0)
    package static let newest = ProtocolVersion(3, 2)

    package var description: String { "\(major).\(minor)" }

    /// What is spoken with a client that asks for a version and for options, and what it has to be told.
    package struct Agreement: Hashable, Sendable {
        package var version: ProtocolVersion
        /// Nil if the client gets exactly what it asked for.
        package var answer: BackendMessage?
    }

    /// 3.1 was never released; who asks for it is served 3.0. Major versions other than 3 do not get here.
    package static func agree(asked: ProtocolVersion, options: [String]) -> Agreement {
        let served = asked.minor >= newest.minor ? newest : oldest
        guard asked != served || !options.isEmpty else { return Agreement(version: served, answer: nil) }
        return Agreement(version: served, answer: .negotiateProtocolVersion(served, unknownOptions: options))
    }
}
