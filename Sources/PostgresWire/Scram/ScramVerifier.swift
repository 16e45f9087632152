/// What a server keeps in place of a password, in the form of `pg_authid.rolpassword`:
/// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
package struct ScramVerifier: Hashable, Sendable {
    package var iterations: Int
    package var salt: [UInt8]
    package var storedKey: [UInt8]
    package var serverKey: [UInt8]

    package static let mechanism = "SCRAM-SHA-256"
    /// PostgreSQL's own.
    package static let usualIterations = 4096
    package static let saltBytes = 16
    static let iterationRange = 1...1_000_000

    /// Of a password. Takes as long as the iterations do.
    package init(password: String, salt: [UInt8], iterations: Int = usualIterations) {
        let keys = ScramKeys(password: password, salt: salt, iterations: iterations)
        self.iterations = iterations
        self.salt = salt
        storedKey = keys.stored
        serverKey = keys.server
    }

    /// Whether this is the verifier of a password, which was sent as it is. Takes as long as the iterations do.
    package func isProved(by password: String) -> Bool {
        ScramHash.isEqual(ScramKeys(password: password, salt: salt, iterations: iterations).stored, storedKey)
    }

    /// Parses PostgreSQL's form; nil for anything else.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == Self.mechanism else { return nil }
        let first = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        let keys = parts[2].split(separator: ":", omittingEmptySubsequences: false)
        guard first.count == 2, keys.count == 2, let iterations = Int(first[0]),
            Self.iterationRange.contains(iterations), let salt = Base64.decode(first[1]), !salt.isEmpty,
            let stored = Base64.decode(keys[0]), stored.count == ScramHash.bytes,
            let server = Base64.decode(keys[1]), server.count == ScramHash.bytes
        else { return nil }
        self.iterations = iterations
        self.salt = salt
        storedKey = stored
        serverKey = server
    }

    /// Of nobody: no proof fits it. The salt is the same for a name as long as `secret` is.
    package init(mockFor user: String, secret: [UInt8]) {
        iterations = Self.usualIterations
        salt = Array(ScramHash.hmac(secret, Array("salt \(user)".utf8)).prefix(Self.saltBytes))
        storedKey = ScramHash.hmac(secret, Array("stored \(user)".utf8))
        serverKey = ScramHash.hmac(secret, Array("server \(user)".utf8))
    }
}

extension ScramVerifier: CustomStringConvertible {
    package var description: String {
        "\(Self.mechanism)$\(iterations):\(Base64.encode(salt))$\(Base64.encode(storedKey)):\(Base64.encode(serverKey))"
    }
}

/// What both sides derive from a password.
struct ScramKeys: Hashable, Sendable {
    var client: [UInt8]
    var stored: [UInt8]
    var server: [UInt8]

    init(password: String, salt: [UInt8], iterations: Int) {
        let salted = ScramHash.salted(Array(password.utf8), salt: salt, iterations: iterations)
        client = ScramHash.hmac(salted, Array("Client Key".utf8))
        stored = ScramHash.digest(client)
        server = ScramHash.hmac(salted, Array("Server Key".utf8))
    }
}
