/// The first packet of a connection, which has no tag.
package enum StartupPacket: Hashable, Sendable {
    case startup(StartupMessage)
    case cancel(CancelKey)
    case requestTLS
    case requestGSSEncryption

    private static let cancelCode: Int32 = 80_877_102
    private static let tlsCode: Int32 = 80_877_103
    private static let gssCode: Int32 = 80_877_104

    /// How many bytes the packet at the beginning of `bytes` takes; nil as long as its length is not there.
    package static func length(_ bytes: UnsafeRawBufferPointer) throws(WireFault) -> Int? {
        guard bytes.count >= 4 else { return nil }
        let length = Int(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)))
        guard length >= 8, length <= WireLimits.startupBytes else {
            throw .length(length, limit: WireLimits.startupBytes)
        }
        return length
    }

    /// - Parameter bytes: the whole packet, its length included, and nothing behind it.
    package init(decoding bytes: UnsafeRawBufferPointer) throws(WireFault) {
        var reader = WireReader(bytes, tag: 0)
        guard Int(try reader.int32()) == bytes.count else { throw .truncated(tag: 0) }
        let code = try reader.int32()
        switch code {
        case Self.tlsCode: self = .requestTLS
        case Self.gssCode: self = .requestGSSEncryption
        case Self.cancelCode:
            let process = try reader.int32()
            guard WireLimits.cancelKeyBytes.contains(reader.remaining) else {
                throw .field(tag: 0, "a cancel key of \(reader.remaining) bytes")
            }
            self = .cancel(CancelKey(process: process, secret: reader.rest()))
        default:
            guard ProtocolVersion(code: code).major == 3 else {
                throw .version(Int(UInt32(bitPattern: code)))
            }
            self = .startup(try StartupMessage(version: ProtocolVersion(code: code), reading: &reader))
        }
        try reader.expectEnd()
    }

    package func encode(into writer: inout WireWriter) {
        writer.withLength { writer in
            switch self {
            case .requestTLS: writer.int32(Self.tlsCode)
            case .requestGSSEncryption: writer.int32(Self.gssCode)
            case .cancel(let key):
                writer.int32(Self.cancelCode)
                writer.int32(key.process)
                writer.append(key.secret)
            case .startup(let message):
                writer.int32(message.version.code)
                for parameter in message.parameters {
                    writer.text(parameter.name)
                    writer.text(parameter.value)
                }
                writer.byte(0)
            }
        }
    }
}

/// Who a client is, and what it wants of its session.
package struct StartupMessage: Hashable, Sendable {
    package struct Parameter: Hashable, Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package var version: ProtocolVersion
    package var parameters: [Parameter]

    package init(version: ProtocolVersion = .oldest, parameters: [Parameter]) {
        self.version = version
        self.parameters = parameters
    }

    init(version: ProtocolVersion, reading reader: inout WireReader) throws(WireFault) {
        self.version = version
        parameters = []
        while true {
            let name = try reader.text()
            if name.isEmpty { return }
            guard parameters.count < WireLimits.startupParameters else {
                throw .tooManyParameters(limit: WireLimits.startupParameters)
            }
            parameters.append(Parameter(name, try reader.text()))
        }
    }

    /// The last value that was given counts, as in PostgreSQL.
    package subscript(_ name: String) -> String? { parameters.last { $0.name == name }?.value }

    /// The names of protocol options, none of which is served.
    package var protocolOptions: [String] { parameters.map(\.name).filter { $0.hasPrefix("_pq_.") } }
}
