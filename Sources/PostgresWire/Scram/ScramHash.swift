import COpenSSL

/// The functions of RFC 5802, section 2.2, over SHA-256.
enum ScramHash {
    static let bytes = 32

    static func digest(_ input: [UInt8]) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: bytes)
        SHA256(input, input.count, &output)
        return output
    }

    static func hmac(_ key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: bytes)
        var count = 0
        let done = EVP_Q_mac(
            nil,
            "HMAC",
            nil,
            "SHA256",
            nil,
            key,
            key.count,
            message,
            message.count,
            &output,
            output.count,
            &count
        )
        guard done != nil, count == bytes else {
            preconditionFailure("OpenSSL refused HMAC-SHA-256, which needs nothing but memory")
        }
        return output
    }

    /// `Hi`, which is PBKDF2. Takes two SHA-256 per iteration: some milliseconds.
    static func salted(_ password: [UInt8], salt: [UInt8], iterations: Int) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: bytes)
        let done = password.withUnsafeBytes { password in
            PKCS5_PBKDF2_HMAC(
                password.baseAddress?.assumingMemoryBound(to: CChar.self),
                Int32(password.count),
                salt,
                Int32(salt.count),
                Int32(iterations),
                EVP_sha256(),
                Int32(bytes),
                &output
            )
        }
        guard done == 1 else { preconditionFailure("OpenSSL refused PBKDF2, which needs nothing but memory") }
        return output
    }

    static func exclusiveOr(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] { zip(left, right).map { $0 ^ $1 } }

    /// Looks at every byte, so that the time says nothing about how near a guess was.
    static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
    }
}
