import COpenSSL
import Records

/// The digests that stand for keys and bodies in the queue.
enum Digest {
    /// SHA-256 over stream, identity and key, each with its length before it, so that no two scopes run together.
    static func key(_ text: UnsafeRawBufferPointer, stream: String, identity: Identity) -> IdempotencyKey {
        var scoped: [UInt8] = []
        scoped.reserveCapacity(stream.utf8.count + identity.name.utf8.count + text.count + 24)
        func append(_ part: some Collection<UInt8>) {
            withUnsafeBytes(of: UInt64(part.count).bigEndian) { scoped.append(contentsOf: $0) }
            scoped.append(contentsOf: part)
        }
        append(stream.utf8)
        append(identity.name.utf8)
        append(text)
        return scoped.withUnsafeBytes { bytes in
            let words = sha256(bytes)
            return IdempotencyKey(high: words.0, low: words.1)
        }
    }

    /// The first 8 bytes of SHA-256 over a body as it was after its Content-Encoding was undone.
    static func body(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        sha256(bytes).0
    }

    /// A 64-bit FNV-1a, mixed so that every bit of the text reaches every bit of the result. It is the same in every
    /// process: an order key keeps its lane over a restart.
    static func spread(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
        }
        hash = (hash ^ (hash >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ (hash >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        return hash ^ (hash >> 33)
    }

    /// The first two words, big-endian.
    private static func sha256(_ bytes: UnsafeRawBufferPointer) -> (UInt64, UInt64) {
        withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { digest in
            // OpenSSL wants an address even for no bytes at all.
            SHA256(
                (bytes.baseAddress ?? UnsafeRawPointer(digest.baseAddress))?.assumingMemoryBound(to: UInt8.self),
                bytes.count,
                digest.baseAddress?.assumingMemoryBound(to: UInt8.self)
            )
            return (
                UInt64(bigEndian: digest.load(as: UInt64.self)),
                UInt64(bigEndian: digest.load(fromByteOffset: 8, as: UInt64.self))
            )
        }
    }
}

/// SHA-256 over lines as they come, each with one LF behind it however it ended. Owner: one connection.
final class RunningDigest {
    private let context: OpaquePointer?

    init() {
        context = EVP_MD_CTX_new()
        EVP_DigestInit_ex(context, EVP_sha256(), nil)
    }

    deinit {
        EVP_MD_CTX_free(context)
    }

    func add(line: UnsafeRawBufferPointer) {
        if let base = line.baseAddress { EVP_DigestUpdate(context, base, line.count) }
        var lineFeed = UInt8(ascii: "\n")
        EVP_DigestUpdate(context, &lineFeed, 1)
    }

    /// The first 8 bytes, big-endian. Called once.
    func finish() -> UInt64 {
        withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { digest in
            EVP_DigestFinal_ex(context, digest.baseAddress?.assumingMemoryBound(to: UInt8.self), nil)
            return UInt64(bigEndian: digest.load(as: UInt64.self))
        }
    }
}
