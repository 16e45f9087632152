import PostgresWire

/// PostgreSQL's protocol, as both of its ends read it.
///
/// Input: a byte that says who reads (0: a server, from the first packet on; 1: a server, behind the login; 2: a client; 3: a server's
/// side of SCRAM; 4: a client's), two bytes that seed the cuts, then what the other end sends. For SCRAM it is the messages, each behind
/// a length of two bytes.
enum WireTarget {
    private enum Reader: UInt8 {
        case firstPacket, frontend, backend, scramServer, scramClient
    }

    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        var input = FuzzInput(bytes)
        guard let reader = Reader(rawValue: input.byte() % 5) else { preconditionFailure("a number below 5 is none") }
        var random = FuzzRandom(seed: input.word())
        switch reader {
        case .firstPacket, .frontend, .backend:
            let whole = try read([Array(input.rest)], as: reader)
            let cut = try read(input.rest.portions(upTo: 9, &random), as: reader)
            try promise(whole == cut, "cut into portions the bytes are other messages")
        case .scramServer: try serve(&input)
        case .scramClient: try prove(&input)
        }
    }

    // MARK: - Messages

    private enum Message: Hashable {
        case packet(StartupPacket)
        case frontend(FrontendMessage)
        case backend(BackendMessage)
        /// Whatever is behind it is not read.
        case fault(WireFault)
    }

    /// As a connection reads: nothing is decoded before all of it is there, and nothing waits that is longer than the limit.
    private static func read(_ portions: [[UInt8]], as reader: Reader) throws(Finding) -> [Message] {
        var isFirst = reader == .firstPacket
        var messages: [Message] = []
        var unread: [UInt8] = []
        for portion in portions {
            unread += portion
            while true {
                // Memory of its own, so that reading beyond it is noticed.
                let bytes = Array(unread)
                guard let length = bytes.withUnsafeBytes({ length($0, isFirst: isFirst) }) else { break }
                switch length {
                case .failure(let fault): return messages + [.fault(fault)]
                case .success(let count):
                    try promise(count <= longest, "a message of \(count) bytes is waited for")
                    guard bytes.count >= count else { break }
                    let whole = Array(bytes[..<count])
                    let message = try decode(whole, isFirst: isFirst, reader)
                    messages.append(message)
                    if case .fault = message { return messages }
                    if case .packet(.startup) = message { isFirst = false }
                    unread.removeFirst(count)
                    continue
                }
                break
            }
        }
        return messages
    }

    private static let longest = 1 << 20

    private static func length(_ bytes: UnsafeRawBufferPointer, isFirst: Bool) -> Result<Int, WireFault>? {
        do throws(WireFault) {
            if isFirst { return try StartupPacket.length(bytes).map { .success($0) } }
            return try MessageHeader.read(bytes, at: 0, limit: longest - 1).map { .success($0.messageBytes) }
        } catch {
            return .failure(error)
        }
    }

    private static func decode(_ bytes: [UInt8], isFirst: Bool, _ reader: Reader) throws(Finding) -> Message {
        let message = decoded(bytes, isFirst: isFirst, reader)
        try compare(message, bytes)
        // Cut anywhere it is refused, or is another message that stands in those bytes to the last of them.
        let header = isFirst ? 4 : MessageHeader.bytes
        var cut = header
        while cut < bytes.count {
            var shorter = Array(bytes[..<cut])
            let length = UInt32(isFirst ? cut : cut - 1).bigEndian
            withUnsafeBytes(of: length) { shorter.replaceSubrange(header - 4..<header, with: $0) }
            try compare(decoded(shorter, isFirst: isFirst, reader), shorter)
            // Of a long one not every cut.
            cut += 1 + cut / 64
        }
        return message
    }

    private static func decoded(_ bytes: [UInt8], isFirst: Bool, _ reader: Reader) -> Message {
        bytes.withUnsafeBytes { bytes in
            do throws(WireFault) {
                if isFirst { return .packet(try StartupPacket(decoding: bytes)) }
                let body = UnsafeRawBufferPointer(rebasing: bytes[MessageHeader.bytes...])
                return reader == .backend
                    ? .backend(try BackendMessage(tag: bytes[0], body: body))
                    : .frontend(try FrontendMessage(tag: bytes[0], body: body))
            } catch {
                return .fault(error)
            }
        }
    }

    /// What is decoded has taken every byte, and says all of them: encoded it is the same.
    private static func compare(_ message: Message, _ bytes: [UInt8]) throws(Finding) {
        var writer = WireWriter()
        switch message {
        case .fault(let fault):
            return try promise(!fault.description.isEmpty, "a fault without a word")
        // Known by its number alone.
        case .backend(.authentication(.other)): return
        case .packet(let packet): packet.encode(into: &writer)
        case .frontend(let message): message.encode(into: &writer)
        case .backend(let message): message.encode(into: &writer)
        }
        try promise(writer.bytes == bytes, "\(message) is \(writer.bytes), and was read from \(bytes)")
    }

    // MARK: - SCRAM

    private static let password = "secret"
    private static let verifier = ScramVerifier(password: password, salt: Array(0..<16), iterations: 2)
    private static let nonce = [UInt8](repeating: 7, count: 18)

    private static func serve(_ input: inout FuzzInput) throws(Finding) {
        var server = ScramServer(verifier: verifier, nonce: nonce)
        var isChallenged = false
        var isDone = false
        while !input.rest.isEmpty {
            let message = Array(input.take(input.word()))
            if let challenge = try? server.begin(message) {
                try promise(!isChallenged && !isDone, "a second challenge")
                isChallenged = true
                // Whoever knows the password gets in behind whatever beginning was taken.
                try promise(!challenge.isEmpty && server.isChallenged, "a challenge of nothing")
                continue
            }
            let proof = try? server.finish(message)
            try promise(proof == nil || (isChallenged && !isDone), "a proof is taken out of turn")
            if proof != nil { isDone = true }
        }
    }

    /// The server's messages as they are, or with one byte changed, or made up.
    private static func prove(_ input: inout FuzzInput) throws(Finding) {
        var client = ScramClient(password: password, nonce: nonce)
        var server = ScramServer(verifier: verifier, nonce: nonce)
        let said = (try? server.begin(client.initialResponse)) ?? []
        let challenge = change(said, &input)
        guard let proof = try? client.prove(challenge) else {
            return try promise((try? client.verify([])) == nil, "a signature is taken without a proof")
        }
        let signature = try? server.finish(proof)
        let shown = change(signature ?? [], &input)
        let isTaken = (try? client.verify(shown)) != nil
        try promise(
            // Extensions may follow, of which nobody knows any.
            isTaken ? signature.map(shown.starts) == true : shown != signature,
            "behind \(challenge) a server that shows \(shown) is \(isTaken ? "taken" : "refused")"
        )
        try promise((try? client.verify(shown)) == nil, "a signature is taken twice")
    }

    private static func change(_ message: [UInt8], _ input: inout FuzzInput) -> [UInt8] {
        switch input.byte() % 3 {
        case 0: return message
        case 1: return Array(input.take(input.word()))
        default:
            var changed = message
            let place = input.word()
            let bits = input.byte()
            if !changed.isEmpty { changed[place % changed.count] ^= bits }
            return changed
        }
    }
}
