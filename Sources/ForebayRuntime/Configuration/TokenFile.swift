import COpenSSL

/// The agents' tokens, as digests: a line each of SHA-256 in hexadecimal, a name, and the streams it may write to.
///
/// ```
/// # forebay tokens
/// 9f86d081884c7d65… nginx-web-1 apirequests,audit
/// 60303ae22b998861… collector *
/// ```
/// A token is 256 random bits, so that a plain digest can't be searched. The file never holds a token.
package struct TokenFile: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        /// 32 bytes.
        package var digest: [UInt8]
        package var name: String
        /// nil is every stream.
        package var streams: [String]?

        package init(digest: [UInt8], name: String, streams: [String]?) {
            self.digest = digest
            self.name = name
            self.streams = streams
        }

        package func mayWrite(to stream: some StringProtocol) -> Bool {
            streams?.contains { $0 == stream } ?? true
        }
    }

    package struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        package var path: String
        /// 0 is the file as a whole.
        package var line: Int
        package var reason: String

        package var description: String {
            line == 0 ? "\(path) (\(reason))" : "\(path):\(line) (\(reason))"
        }
    }

    package private(set) var entries: [Entry]

    package init(entries: [Entry] = []) {
        self.entries = entries
    }

    /// Blocks.
    package static func load(_ path: String) throws(Fault) -> TokenFile {
        let bytes: [UInt8]
        do {
            bytes = try SmallFile.read(path)
        } catch {
            throw Fault(path: path, line: 0, reason: error.reason)
        }
        return try TokenFile(parsing: bytes, named: path)
    }

    package init(parsing bytes: [UInt8], named path: String) throws(Fault) {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Fault(path: path, line: 0, reason: "it is not UTF-8")
        }
        entries = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let fields = line.split(whereSeparator: \.isWhitespace).map(String.init)
            guard let first = fields.first, !first.hasPrefix("#") else { continue }
            let fault = { (reason: String) in Fault(path: path, line: index + 1, reason: reason) }
            guard fields.count == 3 else {
                throw fault("a line is a digest, a name and streams, not \(fields.count) fields")
            }
            guard first.utf8.count == 64, let digest = decodeHexadecimal(Array(first.utf8)) else {
                throw fault("the digest is not 64 hexadecimal digits")
            }
            guard !entries.contains(where: { $0.name == fields[1] }) else {
                throw fault("the name \(fields[1]) stands here twice")
            }
            entries.append(
                Entry(
                    digest: digest,
                    name: fields[1],
                    streams: fields[2] == "*" ? nil : fields[2].split(separator: ",").map(String.init)
                )
            )
        }
    }

    /// The entry of a token; nil if there is none.
    ///
    /// Looks at every entry and at every byte, so that the time says nothing about how near a guess was. May be called on an
    /// event loop: one SHA-256 over a short text.
    package func entry(ofToken token: some StringProtocol) -> Entry? {
        let digest = Self.digest(of: token)
        var match: Entry?
        for entry in entries {
            var difference: UInt8 = 0
            for index in 0..<32 { difference |= entry.digest[index] ^ digest[index] }
            if difference == 0 { match = entry }
        }
        return match
    }

    /// SHA-256 over the token's UTF-8.
    package static func digest(of token: some StringProtocol) -> [UInt8] {
        let bytes = Array(token.utf8)
        var digest = [UInt8](repeating: 0, count: 32)
        SHA256(bytes, bytes.count, &digest)
        return digest
    }

    /// A new token, of the system's randomness.
    package static func makeToken() -> String {
        token(of: (0..<32).map { _ in UInt8.random(in: 0...255) })
    }

    /// The token of 32 bytes: `fby_` and the bytes in unpadded base64url (RFC 4648, section 5).
    package static func token(of bytes: [UInt8]) -> String {
        precondition(bytes.count == 32, "a token has 256 bits")
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        // 32 bytes and one of padding are 11 groups of three; the last of their 44 digits is all padding.
        let bits = bytes + [0]
        var digits: [UInt8] = []
        for group in stride(from: 0, to: 33, by: 3) {
            let word = Int(bits[group]) << 16 | Int(bits[group + 1]) << 8 | Int(bits[group + 2])
            digits += [18, 12, 6, 0].map { alphabet[word >> $0 & 63] }
        }
        return "fby_" + String(decoding: digits.dropLast(), as: UTF8.self)
    }

    /// Adds an entry to the file at `path`, which is made if there is none, with mode 0600. Blocks.
    ///
    /// Lines that are there, comments too, stay as they are.
    package static func add(_ entry: Entry, to path: String) throws(Fault) {
        var bytes: [UInt8]
        do {
            bytes =
                try SmallFile.exists(path)
                ? SmallFile.read(path) : Array("# forebay tokens: SHA-256, name, streams\n".utf8)
        } catch {
            throw Fault(path: path, line: 0, reason: error.reason)
        }
        if let last = bytes.last, last != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
        let streams = entry.streams?.joined(separator: ",") ?? "*"
        bytes += "\(encodeHexadecimal(entry.digest)) \(entry.name) \(streams)\n".utf8
        // What was there must be good, and the name must be new, before anything is written.
        _ = try TokenFile(parsing: bytes, named: path)
        do {
            try SmallFile.replace(path, with: bytes)
        } catch {
            throw Fault(path: error.path, line: 0, reason: error.reason)
        }
    }
}

/// The bytes that pairs of hexadecimal digits stand for; nil for anything else.
func decodeHexadecimal(_ digits: [UInt8]) -> [UInt8]? {
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
        let text = String(decoding: digits[index...index + 1], as: UTF8.self)
        guard !text.hasPrefix("+"), !text.hasPrefix("-"), let byte = UInt8(text, radix: 16) else { return nil }
        bytes.append(byte)
    }
    return bytes
}

func encodeHexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
