import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import IngestServer

/// Sound requests read by this parser and by SwiftNIO's (llhttp underneath): both have to see the same requests.
/// Requests are made from a seed, with everything about them that may vary; the bytes are cut in places from the same
/// seed.
@Suite struct HTTPDifferentialTests {
    /// A small generator that gives the same requests for a seed on every machine (xorshift64*, Vigna 2016).
    private struct Randomness: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state ^= state >> 12
            state ^= state << 25
            state ^= state >> 27
            return state &* 0x2545_F491_4F6C_DD1D
        }

        mutating func pick<Choice>(_ choices: [Choice]) -> Choice {
            choices[Int.random(in: 0..<choices.count, using: &self)]
        }
        mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
    }

    private struct Seen: Equatable, CustomStringConvertible {
        var method: String
        var target: String
        var minor: Int
        var keeps: Bool
        var type: String?
        var body: [UInt8]

        var description: String {
            "\(method) \(target) 1.\(minor) keeps \(keeps) type \(type ?? "-") body \(body.count)"
        }
    }

    private static func request(_ random: inout Randomness) -> [UInt8] {
        let minor = random.chance(80) ? 1 : 0
        let method = random.pick(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"])
        let target = random.pick(["/", "/v1/ingest/a", "/%41/b?c=d&e=%20", "/a;b=c,d/?", "/*!'()@:$+~_-."])
        var text = random.chance(10) ? "\r\n" : ""
        text += "\(method) \(target) HTTP/1.\(minor)\r\n"
        func field(_ name: String, _ value: String, _ random: inout Randomness) -> String {
            let cased = random.pick([name, name.lowercased(), name.uppercased()])
            // SwiftNIO trims no tabs where a value says where a body or the connection ends.
            let isFraming = ["Content-Length", "Transfer-Encoding", "Connection"].contains(name)
            let blanks = isFraming ? ["", " "] : ["", " ", "\t", " \t "]
            return "\(cased):\(random.pick(blanks))\(value)\(random.pick(blanks))\r\n"
        }
        var fields = [field("Host", random.pick(["a", "a:80", "[::1]:8080", "127.0.0.1"]), &random)]
        if random.chance(40) {
            fields.append(field("Content-Type", random.pick(["application/json", "a/b; c=\"d\""]), &random))
        }
        if random.chance(40) {
            fields.append(field("X-Other-\(random.next() % 9)", random.pick(["", "a b", "ü", "\"q\""]), &random))
        }
        if random.chance(30) {
            fields.append(field("Connection", random.pick(["close", "keep-alive", "Keep-Alive", "foo"]), &random))
        }
        let body = (0..<Int.random(in: 0..<300, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        let isChunked = minor == 1 && random.chance(50)
        let hasBody = method != "GET" && method != "HEAD" && random.chance(70)
        if hasBody {
            fields.append(
                isChunked
                    ? field("Transfer-Encoding", random.pick(["chunked", "Chunked"]), &random)
                    : field("Content-Length", random.pick(["", "00"]) + "\(body.count)", &random)
            )
        }
        fields.shuffle(using: &random)
        var bytes = Array((text + fields.joined() + "\r\n").utf8)
        guard hasBody else { return bytes }
        guard isChunked else { return bytes + body }
        var rest = body[...]
        while !rest.isEmpty {
            let chunk = rest.prefix(Int.random(in: 1...100, using: &random))
            rest = rest.dropFirst(chunk.count)
            let size = String(chunk.count, radix: 16, uppercase: random.chance(50))
            bytes += Array(
                "\(random.pick(["", "0", "000"]))\(size)\(random.pick(["", ";a", ";a=b", ";a=\"b;c\""]))\r\n".utf8
            )
            bytes += chunk + Array("\r\n".utf8)
        }
        return bytes + Array("0\r\n\(random.chance(30) ? "X-Trailer: t\r\n" : "")\r\n".utf8)
    }

    private static func cut(_ bytes: [UInt8], _ random: inout Randomness) -> [[UInt8]] {
        var portions: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let portion = rest.prefix(Int.random(in: 1...200, using: &random))
            portions.append(Array(portion))
            rest = rest.dropFirst(portion.count)
        }
        return portions
    }

    private static func ours(_ portions: [[UInt8]]) -> [Seen] {
        var parser = HTTPRequestParser(limits: HTTPLimits())
        var unread: [UInt8] = []
        var seen: [Seen] = []
        for portion in portions {
            unread += portion
            feeding: while true {
                let bytes = unread
                switch bytes.withUnsafeBytes({ parser.next($0) }) {
                case .needMore(let consumed):
                    unread.removeFirst(consumed)
                    break feeding
                case .head(let head, let consumed):
                    func text(_ range: ByteRange) -> String {
                        String(decoding: bytes[Int(range.start)..<Int(range.start + range.count)], as: UTF8.self)
                    }
                    seen.append(
                        Seen(
                            method: "\(head.method)".uppercased(),
                            target: text(head.path) + (head.query.map { "?" + text($0) } ?? ""),
                            minor: Int(head.minorVersion),
                            keeps: head.isPersistent,
                            type: head.contentType.map(text),
                            body: []
                        )
                    )
                    unread.removeFirst(consumed)
                case .body(let range, let consumed):
                    seen[seen.count - 1].body += bytes[range]
                    unread.removeFirst(consumed)
                case .end(let consumed):
                    unread.removeFirst(consumed)
                case .failed(let fault):
                    Issue.record("a sound request was refused: \(fault)")
                    return seen
                }
            }
        }
        return seen
    }

    /// SwiftNIO leaves the blanks behind a value in it.
    private static func trimmed(_ value: String) -> String {
        String(value.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }

    private static func theirs(_ portions: [[UInt8]]) throws -> [Seen] {
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder()))
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        for portion in portions { try channel.writeInbound(ByteBuffer(bytes: portion)) }
        var seen: [Seen] = []
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head):
                seen.append(
                    Seen(
                        method: head.method.rawValue,
                        target: head.uri,
                        minor: head.version.minor,
                        keeps: head.isKeepAlive,
                        type: head.headers.first(name: "Content-Type").map(trimmed),
                        body: []
                    )
                )
            case .body(let buffer): seen[seen.count - 1].body += buffer.readableBytesView
            case .end: break
            }
        }
        return seen
    }

    @Test(arguments: 1...200)
    func bothSeeTheSameRequest(_ seed: UInt64) throws {
        var random = Randomness(state: seed &* 0x9E37_79B9_7F4A_7C15)
        for _ in 0..<10 {
            let portions = Self.cut(Self.request(&random), &random)
            let ours = Self.ours(portions)
            #expect(ours.count == 1)
            #expect(try ours == Self.theirs(portions))
        }
    }

    @Test(arguments: 1...50)
    func bothSeeTheSameRequestsBehindOneAnother(_ seed: UInt64) throws {
        var random = Randomness(state: seed &* 0xD1B5_4A32_D192_ED03)
        var bytes: [UInt8] = []
        for _ in 0..<20 {
            let request = Self.request(&random)
            // SwiftNIO's parser ends with the first request that ends its connection; so do all here that follow one.
            let text = String(decoding: request, as: UTF8.self).lowercased()
            if !text.contains("http/1.0"), !text.contains("close") { bytes += request }
        }
        let portions = Self.cut(bytes, &random)
        #expect(try Self.ours(portions) == Self.theirs(portions))
    }

    /// Whatever comes, the parser ends every step with a verdict, and never consumes more than there is.
    @Test(arguments: 1...200)
    func garbledRequestsNeverTrap(_ seed: UInt64) {
        var random = Randomness(state: seed &* 0xA076_1D64_78BD_642F)
        for _ in 0..<20 {
            var bytes = Self.request(&random) + Self.request(&random)
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch random.next() % 3 {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: at)
                default: bytes.insert(random.pick(Array("\r\n :;,0\0".utf8)), at: at)
                }
            }
            var whole = ParserRun()
            whole.feed(bytes)
            var cut = ParserRun()
            for portion in Self.cut(bytes, &random) { cut.feed(portion) }
            #expect(whole.transcript == cut.transcript, "seed \(seed)")
        }
    }
}
