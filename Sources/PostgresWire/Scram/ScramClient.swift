/// The client's side of one login.
///
/// ```
/// begun ──challenge──▶ proved ──signature──▶ done
/// ```
package struct ScramClient: Sendable {
    private enum State: Sendable {
        case begun
        /// To `done`, by a signature that fits; or nowhere.
        case proved(signature: [UInt8])
        case done
    }

    private let password: String
    private let bare: String
    private let nonce: String
    private var state = State.begun
    private var keys: CachedKeys?

    /// Keys that were derived once, for the same password, salt and iterations: the next login spares the derivation.
    package struct CachedKeys: Hashable, Sendable {
        fileprivate var password: String
        fileprivate var salt: [UInt8]
        fileprivate var iterations: Int
        fileprivate var keys: ScramKeys
    }

    /// - Parameters:
    ///   - user: empty where the startup packet names it, as PostgreSQL wants it.
    ///   - nonce: random bytes, 18 at least, never used before.
    package init(user: String = "", password: String, nonce: [UInt8], keys: CachedKeys? = nil) {
        self.init(user: user, password: password, nonceText: Base64.encode(nonce), keys: keys)
    }

    init(user: String, password: String, nonceText: String, keys: CachedKeys? = nil) {
        self.password = password
        self.keys = keys
        nonce = nonceText
        bare = "n=\(user.replacing("=", with: "=3D").replacing(",", with: "=2C")),r=\(nonceText)"
    }

    /// What the password message carries at first: the mechanism and the first message.
    package var initialResponse: [UInt8] {
        var writer = WireWriter()
        writer.text(ScramVerifier.mechanism)
        writer.value(Array("n,,\(bare)".utf8))
        return writer.bytes
    }

    /// - Parameter message: of AuthenticationSASLContinue.
    /// - Returns: what the password message carries next.
    package mutating func prove(_ message: [UInt8]) throws(ScramFault) -> [UInt8] {
        guard case .begun = state else { throw .outOfTurn }
        state = .done
        let challenge = try ScramAttributes.text(message)
        var attributes = ScramAttributes(challenge[...])
        let both = try attributes.nonce()
        guard both.hasPrefix(nonce), both.utf8.count > nonce.utf8.count else {
            throw .malformed("the server's nonce does not go on from ours")
        }
        guard let salt = Base64.decode(try attributes.next("s")), !salt.isEmpty else {
            throw .malformed("the salt is not base64")
        }
        guard let iterations = Int(try attributes.next("i")), ScramVerifier.iterationRange.contains(iterations) else {
            throw .malformed("the number of iterations is not 1 to \(ScramVerifier.iterationRange.upperBound)")
        }
        let derived = derive(salt: salt, iterations: iterations)
        let final = "c=biws,r=\(both)"
        let said = Array("\(bare),\(challenge),\(final)".utf8)
        let proof = ScramHash.exclusiveOr(derived.client, ScramHash.hmac(derived.stored, said))
        state = .proved(signature: ScramHash.hmac(derived.server, said))
        return Array("\(final),p=\(Base64.encode(proof))".utf8)
    }

    private mutating func derive(salt: [UInt8], iterations: Int) -> ScramKeys {
        if let keys, keys.password == password, keys.salt == salt, keys.iterations == iterations { return keys.keys }
        let derived = ScramKeys(password: password, salt: salt, iterations: iterations)
        keys = CachedKeys(password: password, salt: salt, iterations: iterations, keys: derived)
        return derived
    }

    /// - Parameter message: of AuthenticationSASLFinal.
    /// - Returns: keys for the next login to the same server.
    package mutating func verify(_ message: [UInt8]) throws(ScramFault) -> CachedKeys? {
        guard case .proved(let signature) = state else { throw .outOfTurn }
        state = .done
        let text = try ScramAttributes.text(message)
        if text.hasPrefix("e=") { throw .refused(String(text.dropFirst(2))) }
        var attributes = ScramAttributes(text[...])
        guard let shown = Base64.decode(try attributes.next("v")), ScramHash.isEqual(shown, signature) else {
            throw .wrongSignature
        }
        return keys
    }
}
