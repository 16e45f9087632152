import FoundationEssentials

/// Reads the answers of the TCP protocol (design, section 8): a line `{"ok":n,…}` for n lines that are on disk, or
/// `{"error":{"lines":n,"retry":…,"reason":…}}` for n lines that are not; with 0 lines it is about the connection.
///
/// Pure; the bytes may be cut anywhere.
package struct LineAnswerParser: Sendable {
    package enum Answer: Hashable, Sendable {
        /// `repeated` if their key was known.
        case acknowledged(lines: Int, repeated: Bool)
        /// `retry` if the same lines may be taken later. `reason` is the whole line where it has another form than expected.
        case refused(lines: Int, retry: Bool, reason: String)
    }

    package enum Fault: Error, Hashable, Sendable {
        case lineTooLong
    }

    private static let longestLine = 1 << 16
    private var line: [UInt8] = []

    package init() {}

    /// Takes bytes off the front of `bytes` up to the end of the next answer; nil when all were taken without one.
    package mutating func next(from bytes: inout UnsafeRawBufferPointer) throws(Fault) -> Answer? {
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
            guard line.count + bytes.count <= Self.longestLine else { throw .lineTooLong }
            line.append(contentsOf: bytes)
            bytes = UnsafeRawBufferPointer(rebasing: bytes[bytes.count...])
            return nil
        }
        guard line.count + end <= Self.longestLine else { throw .lineTooLong }
        line.append(contentsOf: bytes[..<end])
        bytes = UnsafeRawBufferPointer(rebasing: bytes[(end + 1)...])
        defer { line.removeAll(keepingCapacity: true) }
        return Self.answer(line)
    }

    private static func answer(_ line: [UInt8]) -> Answer {
        let start = Array("{\"ok\":".utf8)
        guard line.starts(with: start) else { return refusal(line) }
        let digits = line[start.count...].prefix { (0x30...0x39).contains($0) }
        let after = start.count + digits.count
        guard (1...15).contains(digits.count), after < line.count,
            line[after] == UInt8(ascii: ",") || line[after] == UInt8(ascii: "}")
        else { return refusal(line) }
        return .acknowledged(
            lines: digits.reduce(0) { $0 * 10 + Int($1 - 0x30) },
            repeated: line.suffix(16).elementsEqual("\"repeated\":true}".utf8)
        )
    }

    private static func refusal(_ line: [UInt8]) -> Answer {
        struct Line: Decodable {
            struct Refusal: Decodable {
                var lines: Int
                var retry: Bool
                var reason: String
            }
            var error: Refusal
        }
        guard let refusal = try? JSONDecoder().decode(Line.self, from: Data(line)).error, refusal.lines >= 0 else {
            return .refused(lines: 0, retry: true, reason: String(decoding: line, as: UTF8.self))
        }
        return .refused(lines: refusal.lines, retry: refusal.retry, reason: refusal.reason)
    }
}
