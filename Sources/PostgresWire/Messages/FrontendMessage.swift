/// What a client sends once it is past its first packet.
package enum FrontendMessage: Hashable, Sendable {
    case bind(Bind)
    case close(Target, name: String)
    case copyData([UInt8])
    case copyDone
    case copyFail(reason: String)
    case describe(Target, name: String)
    /// Zero rows is all of them.
    case execute(portal: String, rows: Int32)
    case flush
    case parse(Parse)
    case query([UInt8])
    case sync
    case terminate
    /// An answer to a challenge: what it holds depends on the challenge, so it stays as it is.
    case password([UInt8])

    package enum Target: UInt8, Hashable, Sendable {
        case statement = 0x53
        case portal = 0x50
    }

    package struct Bind: Hashable, Sendable {
        package var portal: String
        package var statement: String
        /// None is text for all; one is for all.
        package var formats: [Int16]
        package var values: [[UInt8]?]
        package var resultFormats: [Int16]

        package init(
            portal: String = "",
            statement: String = "",
            formats: [Int16] = [],
            values: [[UInt8]?] = [],
            resultFormats: [Int16] = []
        ) {
            self.portal = portal
            self.statement = statement
            self.formats = formats
            self.values = values
            self.resultFormats = resultFormats
        }
    }

    package struct Parse: Hashable, Sendable {
        package var name: String
        /// Without its NUL; in the client's encoding.
        package var query: [UInt8]
        /// OIDs of the types that the client gives; 0 leaves one to the server.
        package var types: [Int32]

        package init(name: String = "", query: [UInt8], types: [Int32] = []) {
            self.name = name
            self.query = query
            self.types = types
        }
    }
}

/// The tags, as the manual lists them.
package enum FrontendTag {
    package static let bind = UInt8(ascii: "B")
    package static let close = UInt8(ascii: "C")
    package static let copyData = UInt8(ascii: "d")
    package static let copyDone = UInt8(ascii: "c")
    package static let copyFail = UInt8(ascii: "f")
    package static let describe = UInt8(ascii: "D")
    package static let execute = UInt8(ascii: "E")
    package static let flush = UInt8(ascii: "H")
    package static let functionCall = UInt8(ascii: "F")
    package static let parse = UInt8(ascii: "P")
    package static let query = UInt8(ascii: "Q")
    package static let sync = UInt8(ascii: "S")
    package static let terminate = UInt8(ascii: "X")
    package static let password = UInt8(ascii: "p")
}
