/// A decoder under test, and what it promises for every input.
package enum FuzzTarget: String, CaseIterable, Sendable {
    case json
    case http
    case connection
    case tcp
    case segment
    case config
    case inflate
    case wire
    case session

    /// One line for a list.
    package var summary: String {
        switch self {
        case .json: "JSON bodies to COPY rows, over columns of every type"
        case .http: "HTTP/1.1 framing, and the same requests as SwiftNIO's parser sees"
        case .connection: "an HTTP connection to its end, over a queue that refuses and delays"
        case .tcp: "the TCP protocol: framing, control lines, a connection over a queue that refuses and delays"
        case .segment: "a queue directory: recovery, reading, audit, keys, dead letters"
        case .config: "configuration and token files"
        case .inflate: "gzip, zlib and LZ4 bodies with their limits"
        case .wire: "the messages of both roles of PostgreSQL's protocol, and both sides of SCRAM"
        case .session: "the read port between clients and nodes that do anything, in any order"
        }
    }

    /// Longer inputs find nothing more, and take longer.
    package var longestInput: Int {
        switch self {
        case .json, .http, .config, .session: 2048
        case .connection, .tcp, .inflate, .wire: 4096
        case .segment: 16384
        }
    }

    /// Runs the code under test over `input`; throws if it breaks a promise. A trap is a finding too.
    package func run(_ input: UnsafeRawBufferPointer) throws(Finding) {
        switch self {
        case .json: try JSONTarget.run(input)
        case .http: try HTTPTarget.run(input)
        case .connection: try ConnectionTarget.run(input)
        case .tcp: try TCPTarget.run(input)
        case .segment: try SegmentTarget.run(input)
        case .config: try ConfigurationTarget.run(input)
        case .inflate: try InflateTarget.run(input)
        case .wire: try WireTarget.run(input)
        case .session: try SessionTarget.run(input)
        }
    }

    package func run(_ input: [UInt8]) throws(Finding) {
        var finding: Finding?
        input.withUnsafeBytes { bytes in
            do throws(Finding) { try run(bytes) } catch { finding = error }
        }
        if let finding { throw finding }
    }
}
