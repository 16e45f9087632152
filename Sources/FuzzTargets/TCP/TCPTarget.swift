import IngestFormats
import IngestServer
import Records

/// The TCP protocol.
///
/// Input: a byte of flags (1: small limits; 2: the queue refuses at times; 4: the peer stalls at times; 8: the proxy shuts down; 16:
/// there is no default stream; 32: little room for the rows of a key), two bytes that seed the order of what happens, then what the peer sends.
enum TCPTarget {
    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        var input = FuzzInput(bytes)
        let flags = input.byte()
        let seed = input.word()
        let sent = input.rest
        let limit = flags & 1 == 0 ? 1 << 20 : 24
        var random = FuzzRandom(seed: seed)
        let whole = try lines([Array(sent)], limit)
        let cut = try lines(sent.portions(upTo: 9, &random), limit)
        try promise(whole == cut, "cut into portions the bytes are other lines")

        let trouble = EmbeddedPeer.Trouble(
            refuses: flags & 2 != 0,
            stalls: flags & 4 != 0,
            drains: flags & 8 != 0
        )
        try connect(sent, whole, trouble, configuration(flags), random)
    }

    private static let plans = [FuzzPlans.all[1].plan, FuzzPlans.all[4].plan]

    private static func configuration(_ flags: UInt8) -> IngestConfiguration {
        var configuration = IngestConfiguration()
        configuration.tcpStream = flags & 16 == 0 ? plans[1].schema.stream : nil
        if flags & 32 != 0 { configuration.maxInflatedBytes = 200 }
        if flags & 1 != 0 {
            configuration.maxLineBytes = 24
            configuration.maxBatchBytes = 64
            configuration.maxBodyBytes = 40
            configuration.inFlightBytes = 2048
            configuration.decodeLimits = DecodeLimits(events: 200, eventBytes: 64, depth: 4)
        }
        return configuration
    }

    // MARK: - Framing

    /// nil for a line that is too long.
    private static func lines(_ portions: [[UInt8]], _ limit: Int) throws(Finding) -> [[UInt8]?] {
        var framer = LineFramer(limit: limit)
        var unread: [UInt8] = []
        var lines: [[UInt8]?] = []
        func note(_ step: LineFramer.Step, _ bytes: [UInt8]) throws(Finding) -> Bool {
            let consumed: Int
            switch step {
            case .needMore(let count):
                consumed = count
            case .line(let range, let count):
                try promise(range.count <= limit && range.upperBound <= count, "a line \(range) of \(count) bytes")
                lines.append(Array(bytes[range]))
                consumed = count
            case .tooLong(let count):
                lines.append(nil)
                consumed = count
            }
            try promise(consumed <= unread.count, "\(consumed) of \(unread.count) bytes are consumed")
            unread.removeFirst(consumed)
            if case .needMore = step { return false }
            return true
        }
        for portion in portions {
            unread += portion
            var goesOn = true
            while goesOn {
                let bytes = Array(unread)
                goesOn = try note(bytes.withUnsafeBytes { framer.next($0) }, bytes)
            }
        }
        let rest = Array(unread)
        if let last = rest.withUnsafeBytes({ framer.end($0) }) { _ = try note(last, rest) }
        try promise(unread.isEmpty, "\(unread.count) bytes behind the end are left over")
        return lines
    }

    // MARK: - A connection

    private static func connect(
        _ sent: UnsafeRawBufferPointer,
        _ lines: [[UInt8]?],
        _ trouble: EmbeddedPeer.Trouble,
        _ configuration: IngestConfiguration,
        _ random: FuzzRandom
    ) throws(Finding) {
        let queue = ScriptedQueue(plans)
        let peer: EmbeddedPeer
        do {
            peer = try EmbeddedPeer(.tcp, configuration, queue, trouble, random)
        } catch {
            preconditionFailure("no embedded connection: \(error)")
        }
        try peer.send(sent)
        let expected = Expected(lines, configuration, plans)
        let covered = try AnsweredLines(peer.answers)
        try promise(covered.lines <= expected.lines, "\(covered.lines) lines are answered, \(expected.lines) were sent")
        if expected.wantsAnswers, !covered.isClosing, !trouble.drains {
            try promise(covered.lines == expected.lines, "\(covered.lines) of \(expected.lines) lines are answered")
        }
        // A sender with answers sends again what was refused; keys can make two lines one.
        guard !expected.hasKeys, !(expected.wantsAnswers && trouble.refuses) else { return }
        try compare(queue.durable, expected.rows, inOrder: !trouble.refuses)
        if !covered.isClosing, !trouble.drains, !expected.breaksProtocol {
            try promise(queue.durable.count == expected.rows.count, "\(queue.durableRows) rows were stored, too few")
        }
    }

    /// Every row that was stored was sent, once. A queue that refuses one batch and takes the next changes their order.
    private static func compare(_ stored: [UInt8], _ sent: [UInt8], inOrder: Bool) throws(Finding) {
        if inOrder {
            return try promise(sent.starts(with: stored), "other rows were stored than were sent, or in another order")
        }
        var left: [[UInt8]: Int] = [:]
        for row in try rows(sent) { left[row, default: 0] += 1 }
        for row in try rows(stored) {
            left[row, default: 0] -= 1
            try promise(left[row] ?? 0 >= 0, "a row was stored that was not sent, or more often than it was")
        }
    }

    private static func rows(_ bytes: [UInt8]) throws(Finding) -> [[UInt8]] {
        var rows: [[UInt8]] = []
        var fault: TupleFault?
        bytes.withUnsafeBytes { bytes in
            var reader = TupleReader(bytes)
            do throws(TupleFault) {
                while let range = try reader.next() { rows.append(Array(bytes[range])) }
            } catch {
                fault = error
            }
        }
        if let fault { throw Finding("what was stored is no rows: \(fault)") }
        return rows
    }
}

/// What the lines of a connection should come to, worked out line by line.
private struct Expected {
    /// Lines that are events, good or bad.
    private(set) var lines = 0
    private(set) var wantsAnswers = false
    private(set) var hasKeys = false
    private(set) var breaksProtocol = false
    /// The tuples of the good ones.
    private(set) var rows: [UInt8] = []

    init(_ lines: [[UInt8]?], _ configuration: IngestConfiguration, _ plans: [DecodePlan]) {
        var stream = configuration.tcpStream
        var isFirst = true
        var decoder: EventDecoder?
        for line in lines {
            if let line, line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
            defer { isFirst = false }
            if let line, line.withUnsafeBytes({ ControlLine.isControl($0) }) {
                switch try? line.withUnsafeBytes({ try ControlLine.parse($0) }) {
                case .greeting(let greeting) where isFirst:
                    stream = greeting.stream ?? stream
                    wantsAnswers = greeting.wantsAnswers
                    if greeting.token == "bad" || greeting.token == "other" { breaksProtocol = true }
                case .group:
                    hasKeys = true
                default:
                    breaksProtocol = true
                }
                continue
            }
            self.lines += 1
            guard let line, let plan = plans.first(where: { $0.schema.stream == stream }) else {
                if decoder == nil, line != nil { breaksProtocol = true }
                continue
            }
            let taking = decoder ?? EventDecoder(plan: plan, limits: configuration.decodeLimits)
            decoder = taking
            let batch = RowBatch(layouts: plan)
            _ = taking.decode(line, format: .lines, onError: .skip, into: batch)
            rows += batch.bytes
        }
    }
}

/// The answers of a connection, added up.
private struct AnsweredLines {
    private(set) var lines = 0
    private(set) var isClosing = false

    init(_ answers: [UInt8]) throws(Finding) {
        try promise(answers.isEmpty || answers.last == 0x0A, "the answers end within a line")
        for answer in answers.split(separator: 0x0A) {
            let text = String(decoding: answer, as: UTF8.self)
            guard let count = Self.number(behind: "{\"ok\":", in: text) ?? Self.number(behind: "\"lines\":", in: text)
            else {
                throw Finding("an answer without a number of lines: \(text)")
            }
            lines += count
            if text.hasPrefix("{\"error\""), text.contains("\"closing\":true") { isClosing = true }
        }
    }

    private static func number(behind name: String, in text: String) -> Int? {
        guard let found = text.firstRange(of: name) else { return nil }
        return Int(text[found.upperBound...].prefix { $0.isASCII && $0.isNumber })
    }
}
