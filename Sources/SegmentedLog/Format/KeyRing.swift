/// The encryption keys of the configuration. New segments are written under the active one; old ones stay readable
/// as long as their key is in the ring.
package struct KeyRing: Sendable {
    package static let keyBytes = 32

    /// Why a ring can't be made; each names the key.
    package enum Fault: Error, Hashable, Sendable {
        case length(id: String, bytes: Int)
        case identifier(String)
        case activeMissing(String)
    }

    private let keys: [String: [UInt8]]
    /// The id of the key for new segments; nil: they are written in the clear.
    package let active: String?

    /// A ring without keys: everything is in the clear.
    package init() {
        keys = [:]
        active = nil
    }

    package init(keys: [String: [UInt8]], active: String?) throws(Fault) {
        for (id, key) in keys {
            guard key.count == Self.keyBytes else { throw .length(id: id, bytes: key.count) }
            guard !id.isEmpty, id.utf8.count <= SegmentHeader.longestKeyID else { throw .identifier(id) }
        }
        if let active, keys[active] == nil { throw .activeMissing(active) }
        self.keys = keys
        self.active = active
    }

    package func contains(_ id: String) -> Bool { keys[id] != nil }

    /// The cipher of a segment; nil if the segment is in the clear.
    package func cipher(for header: SegmentHeader) throws(LogFault) -> SegmentCipher? {
        guard let id = header.keyID else { return nil }
        guard let key = keys[id] else { throw .missingKey(id: id) }
        guard let cipher = SegmentCipher(key: key, header: header) else { throw .cipher("key derivation failed") }
        return cipher
    }
}

extension KeyRing.Fault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .length(let id, let bytes): "encryption key \"\(id)\" has \(bytes) bytes, expected \(KeyRing.keyBytes)"
        case .identifier(let id):
            "encryption key id \"\(id)\" must have 1 to \(SegmentHeader.longestKeyID) bytes of UTF-8"
        case .activeMissing(let id): "the active encryption key \"\(id)\" is not among the keys"
        }
    }
}
