internal import COpenSSL

/// AES-256-GCM under the key of one incarnation of one segment (see <doc:OnDiskFormat>, "Encryption").
///
/// Owner: the thread that made it; the context within is used again for every block.
package final class SegmentCipher {
    package static let tagBytes = 16

    private let context: OpaquePointer
    private let key: [UInt8]

    /// Derives the segment's key; nil if libcrypto refuses.
    init?(key master: [UInt8], header: SegmentHeader) {
        let label = Array("forebay segment 1".utf8)
        let message = label + header.encoded()[16..<88]
        var derived = [UInt8](repeating: 0, count: 32)
        var length = 0
        let made = EVP_Q_mac(
            nil,
            "HMAC",
            nil,
            "SHA256",
            nil,
            master,
            master.count,
            message,
            message.count,
            &derived,
            derived.count,
            &length
        )
        guard made != nil, length == derived.count, let context = EVP_CIPHER_CTX_new() else { return nil }
        self.context = context
        key = derived
    }

    deinit {
        EVP_CIPHER_CTX_free(context)
    }

    private static func nonce(_ block: UInt32) -> [UInt8] {
        var nonce = [UInt8](repeating: 0, count: 12)
        nonce.withUnsafeMutableBytes { $0.storeBytes(of: block.littleEndian, as: UInt32.self) }
        return nonce
    }

    /// Encrypts `plain` to `output`, which has room for it and 16 bytes more; false if libcrypto refuses.
    func seal(
        _ plain: UnsafeRawBufferPointer,
        header: UnsafeRawBufferPointer,
        keys: UnsafeRawBufferPointer,
        block: UInt32,
        into output: UnsafeMutableRawPointer
    ) -> Bool {
        var written: Int32 = 0
        guard EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), nil, key, Self.nonce(block)) == 1,
            EVP_EncryptUpdate(context, nil, &written, header.bytePointer, Int32(header.count)) == 1,
            keys.isEmpty || EVP_EncryptUpdate(context, nil, &written, keys.bytePointer, Int32(keys.count)) == 1
        else { return false }
        let bytes = output.assumingMemoryBound(to: UInt8.self)
        guard EVP_EncryptUpdate(context, bytes, &written, plain.bytePointer, Int32(plain.count)) == 1,
            Int(written) == plain.count,
            EVP_EncryptFinal_ex(context, bytes + plain.count, &written) == 1, written == 0
        else { return false }
        return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagBytes), output + plain.count) == 1
    }

    /// Decrypts `sealed`, whose last 16 bytes are the tag, to `output`; false if the tag does not match.
    func open(
        _ sealed: UnsafeRawBufferPointer,
        header: UnsafeRawBufferPointer,
        keys: UnsafeRawBufferPointer,
        block: UInt32,
        into output: UnsafeMutableRawPointer
    ) -> Bool {
        let count = sealed.count - Self.tagBytes
        guard count >= 0 else { return false }
        var tag = Array(sealed[count...])
        var written: Int32 = 0
        guard EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), nil, key, Self.nonce(block)) == 1,
            EVP_DecryptUpdate(context, nil, &written, header.bytePointer, Int32(header.count)) == 1,
            keys.isEmpty || EVP_DecryptUpdate(context, nil, &written, keys.bytePointer, Int32(keys.count)) == 1
        else { return false }
        let bytes = output.assumingMemoryBound(to: UInt8.self)
        guard EVP_DecryptUpdate(context, bytes, &written, sealed.bytePointer, Int32(count)) == 1,
            Int(written) == count,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagBytes), &tag) == 1
        else { return false }
        return EVP_DecryptFinal_ex(context, bytes + count, &written) == 1
    }
}

extension UnsafeRawBufferPointer {
    fileprivate var bytePointer: UnsafePointer<UInt8>? { baseAddress?.assumingMemoryBound(to: UInt8.self) }
}
