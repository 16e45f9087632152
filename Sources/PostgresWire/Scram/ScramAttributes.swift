/// The attributes of a SCRAM message: `r=…,s=…,i=…`, in the order in which RFC 5802 wants them.
struct ScramAttributes {
    private var parts: ArraySlice<Substring>

    static let mostBytes = 4096

    init(_ text: Substring) {
        parts = text.split(separator: ",", omittingEmptySubsequences: false)[...]
    }

    /// Texts are ASCII, as far as they are used here.
    static func text(_ bytes: [UInt8]) throws(ScramFault) -> String {
        guard bytes.count <= mostBytes, let text = String(validating: bytes, as: UTF8.self) else {
            throw .malformed("it is not a short text")
        }
        return text
    }

    mutating func next(_ name: Character) throws(ScramFault) -> Substring {
        guard let part = parts.popFirst(), part.first == name, part.dropFirst().first == "=" else {
            throw .malformed("expected the attribute \(name)")
        }
        return part.dropFirst(2)
    }

    mutating func nonce() throws(ScramFault) -> Substring {
        let nonce = try next("r")
        guard (1...1024).contains(nonce.utf8.count), nonce.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .malformed("a nonce of \(nonce.utf8.count) bytes, or with other than printable characters")
        }
        return nonce
    }

    /// Extensions may follow where the RFC lets them; they are not used.
    func expectEnd() throws(ScramFault) {
        guard parts.isEmpty else { throw .malformed("more attributes than expected") }
    }
}
