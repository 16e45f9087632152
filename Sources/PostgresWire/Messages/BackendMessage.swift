/// What a server sends.
package enum BackendMessage: Hashable, Sendable {
    case authentication(Authentication)
    case backendKeyData(CancelKey)
    case bindComplete
    case closeComplete
    case commandComplete(tag: String)
    case copyBothResponse(CopyFormat)
    case copyData([UInt8])
    case copyDone
    case copyInResponse(CopyFormat)
    case copyOutResponse(CopyFormat)
    case dataRow([[UInt8]?])
    case emptyQueryResponse
    case error(Report)
    case functionCallResponse([UInt8]?)
    case negotiateProtocolVersion(ProtocolVersion, unknownOptions: [String])
    case noData
    case notice(Report)
    case notification(process: Int32, channel: String, payload: String)
    case parameterDescription([Int32])
    case parameterStatus(name: String, value: String)
    case parseComplete
    case portalSuspended
    case readyForQuery(TransactionStatus)
    case rowDescription([Column])

    package enum Authentication: Hashable, Sendable {
        case ok
        case cleartextPassword
        case md5Password(salt: [UInt8])
        case sasl(mechanisms: [String])
        case saslContinue([UInt8])
        case saslFinal([UInt8])
        /// Kerberos, GSSAPI, SSPI and whatever comes: known by number alone.
        case other(Int32)
    }

    package enum TransactionStatus: UInt8, Hashable, Sendable, CaseIterable {
        case idle = 0x49
        case inBlock = 0x54
        case inFailedBlock = 0x45
    }

    package struct CopyFormat: Hashable, Sendable {
        package var isBinary: Bool
        package var columns: [Int16]

        package init(isBinary: Bool, columns: [Int16]) {
            self.isBinary = isBinary
            self.columns = columns
        }
    }

    package struct Column: Hashable, Sendable {
        package var name: String
        package var table: Int32
        package var attribute: Int16
        package var type: Int32
        package var typeBytes: Int16
        package var modifier: Int32
        package var format: Int16

        package init(
            name: String,
            table: Int32 = 0,
            attribute: Int16 = 0,
            type: Int32 = 25,
            typeBytes: Int16 = -1,
            modifier: Int32 = -1,
            format: Int16 = 0
        ) {
            self.name = name
            self.table = table
            self.attribute = attribute
            self.type = type
            self.typeBytes = typeBytes
            self.modifier = modifier
            self.format = format
        }
    }
}

/// The tags, as the manual lists them.
package enum BackendTag {
    package static let authentication = UInt8(ascii: "R")
    package static let backendKeyData = UInt8(ascii: "K")
    package static let bindComplete = UInt8(ascii: "2")
    package static let closeComplete = UInt8(ascii: "3")
    package static let commandComplete = UInt8(ascii: "C")
    package static let copyBothResponse = UInt8(ascii: "W")
    package static let copyData = UInt8(ascii: "d")
    package static let copyDone = UInt8(ascii: "c")
    package static let copyInResponse = UInt8(ascii: "G")
    package static let copyOutResponse = UInt8(ascii: "H")
    package static let dataRow = UInt8(ascii: "D")
    package static let emptyQueryResponse = UInt8(ascii: "I")
    package static let error = UInt8(ascii: "E")
    package static let functionCallResponse = UInt8(ascii: "V")
    package static let negotiateProtocolVersion = UInt8(ascii: "v")
    package static let noData = UInt8(ascii: "n")
    package static let notice = UInt8(ascii: "N")
    package static let notification = UInt8(ascii: "A")
    package static let parameterDescription = UInt8(ascii: "t")
    package static let parameterStatus = UInt8(ascii: "S")
    package static let parseComplete = UInt8(ascii: "1")
    package static let portalSuspended = UInt8(ascii: "s")
    package static let readyForQuery = UInt8(ascii: "Z")
    package static let rowDescription = UInt8(ascii: "T")
}
