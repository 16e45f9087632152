import IngestFormats
import IngestServer
import Records

/// An HTTP connection from its first byte to its end.
///
/// Input: as for ``TCPTarget``: a byte of flags, two bytes that seed the order of what happens, then what the client sends.
enum ConnectionTarget {
    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        var input = FuzzInput(bytes)
        let flags = input.byte()
        let random = FuzzRandom(seed: input.word())
        let sent = input.rest
        let configuration = configuration(flags)
        let trouble = EmbeddedPeer.Trouble(refuses: flags & 2 != 0, stalls: flags & 4 != 0, drains: flags & 8 != 0)

        let requests = try RequestTranscript([Array(sent)], limits(configuration))
        let queue = ScriptedQueue(plans)
        let peer: EmbeddedPeer
        do {
            peer = try EmbeddedPeer(.http, configuration, queue, trouble, random)
        } catch {
            preconditionFailure("no embedded connection: \(error)")
        }
        try peer.send(sent)

        let answers = try HTTPAnswers(peer.answers, methods: requests.requests.map(\.method))
        let complete = requests.requests.prefix { $0.isComplete }
        // One more tells of a fault, or of an end in the middle of a request.
        try promise(
            answers.count <= requests.requests.count + 1,
            "\(answers.count) answers to \(requests.requests.count) requests"
        )
        if !trouble.drains, !answers.closes {
            try promise(answers.count >= complete.count, "\(answers.count) answers to \(complete.count) requests")
        }
        try promise(
            answers.accepted == queue.durableRows || peer.isCutOff && answers.accepted < queue.durableRows,
            "\(answers.accepted) events are acknowledged, \(queue.durableRows) are durable"
        )
    }

    private static let plans = [FuzzPlans.all[1].plan, FuzzPlans.all[4].plan]

    private static func configuration(_ flags: UInt8) -> IngestConfiguration {
        var configuration = IngestConfiguration()
        if flags & 1 != 0 {
            configuration.maxBodyBytes = 100
            configuration.maxInflatedBytes = 200
            configuration.inFlightBytes = 2048
            configuration.pipelineDepth = 2
            configuration.headerBytes = 200
            configuration.headerCount = 6
            configuration.decodeLimits = DecodeLimits(events: 4, eventBytes: 64, depth: 4)
        }
        return configuration
    }

    private static func limits(_ configuration: IngestConfiguration) -> HTTPLimits {
        HTTPLimits(
            requestLineBytes: configuration.requestLineBytes,
            headerBytes: configuration.headerBytes,
            headerCount: configuration.headerCount,
            bodyBytes: configuration.maxBodyBytes
        )
    }
}

/// The answers on a connection, taken apart as a client does.
private struct HTTPAnswers {
    private(set) var count = 0
    /// Events that were acknowledged for the first time.
    private(set) var accepted = 0
    /// The last one says that the connection ends.
    private(set) var closes = false

    /// - Parameter methods: of the requests, in their order: what answers HEAD has no body.
    init(_ bytes: [UInt8], methods: [String]) throws(Finding) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let end = Self.endOfHead(rest) else {
                throw Finding("an answer's head does not end: \(String(decoding: rest, as: UTF8.self))")
            }
            let head = String(decoding: rest[..<end], as: UTF8.self)
            rest = rest[end...]
            try promise(head.hasPrefix("HTTP/1.1 "), "no answer: \(head)")
            if head.hasPrefix("HTTP/1.1 100 ") { continue }
            try promise(!closes, "an answer after the last one: \(head)")
            closes = head.contains("\r\nConnection: close\r\n")
            let length = Self.number(behind: "\r\nContent-Length: ", in: head) ?? 0
            let hasBody = count >= methods.count || methods[count] != "HEAD"
            count += 1
            guard hasBody else { continue }
            try promise(length <= rest.count, "an answer's body of \(length) bytes has \(rest.count)")
            let body = String(decoding: rest.prefix(length), as: UTF8.self)
            rest = rest.dropFirst(length)
            try promise(length == 0 || body.hasPrefix("{") && body.hasSuffix("}"), "an answer's body is cut: \(body)")
            if head.hasPrefix("HTTP/1.1 200 ") || head.hasPrefix("HTTP/1.1 202 "), !body.contains("\"repeated\":true") {
                accepted += Self.number(behind: "{\"accepted\":", in: body) ?? 0
            }
        }
    }

    private static func endOfHead(_ bytes: ArraySlice<UInt8>) -> Int? {
        var index = bytes.startIndex
        while index + 4 <= bytes.endIndex {
            if bytes[index] == 0x0D, bytes[index..<index + 4].elementsEqual([0x0D, 0x0A, 0x0D, 0x0A]) {
                return index + 4
            }
            index += 1
        }
        return nil
    }

    private static func number(behind name: String, in text: String) -> Int? {
        guard let found = text.firstRange(of: name) else { return nil }
        return Int(text[found.upperBound...].prefix { $0.isASCII && $0.isNumber })
    }
}
