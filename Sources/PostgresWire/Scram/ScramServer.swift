/// The server's side of one login. Two messages come in, two go out.
///
/// ```
/// waiting ──first message──▶ challenged ──proof──▶ done
/// ```
package struct ScramServer: Sendable {
    private enum State: Sendable {
        case waiting
        /// To `done`, by a proof that fits; or nowhere.
        case challenged(header: String, said: String, nonce: String)
        case done
    }

    private let verifier: ScramVerifier
    private let ownNonce: String
    private var state = State.waiting

    /// - Parameter nonce: random bytes, 18 at least, never used before.
    package init(verifier: ScramVerifier, nonce: [UInt8]) {
        self.init(verifier: verifier, nonceText: Base64.encode(nonce))
    }

    init(verifier: ScramVerifier, nonceText: String) {
        self.verifier = verifier
        ownNonce = nonceText
    }

    /// The first message has come, and the challenge went out.
    package var isChallenged: Bool {
        if case .challenged = state { true } else { false }
    }

    /// The body of SASLInitialResponse: the mechanism's name, and the client's first message.
    ///
    /// - Returns: what AuthenticationSASLContinue carries.
    package mutating func begin(_ body: [UInt8]) throws(ScramFault) -> [UInt8] {
        guard case .waiting = state else { throw .outOfTurn }
        state = .done
        let (mechanism, message) = try Self.split(body)
        guard mechanism == ScramVerifier.mechanism else { throw .unknownMechanism(mechanism) }
        let text = try ScramAttributes.text(message)
        // gs2-header: cbind flag, authzid, then the bare message.
        let parts = text.split(separator: ",", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .malformed("no header") }
        switch parts[0] {
        case "n", "y": break
        case let flag where flag.hasPrefix("p="): throw .channelBinding
        default: throw .malformed("the flag for channel binding is none of n, y and p")
        }
        guard parts[1].isEmpty else { throw .malformed("an authorization identity is not served") }
        var attributes = ScramAttributes(parts[2])
        _ = try attributes.next("n")
        let nonce = "\(try attributes.nonce())\(ownNonce)"
        try attributes.expectEnd()
        let challenge = "r=\(nonce),s=\(Base64.encode(verifier.salt)),i=\(verifier.iterations)"
        state = .challenged(header: "\(parts[0]),,", said: "\(parts[2]),\(challenge)", nonce: nonce)
        return Array(challenge.utf8)
    }

    /// The body of SASLResponse: the client's final message.
    ///
    /// - Returns: what AuthenticationSASLFinal carries; the client is who it says.
    package mutating func finish(_ body: [UInt8]) throws(ScramFault) -> [UInt8] {
        guard case .challenged(let header, let said, let nonce) = state else { throw .outOfTurn }
        state = .done
        let text = try ScramAttributes.text(body)
        guard let end = text.range(ofLast: ",p=") else { throw .malformed("no proof") }
        var attributes = ScramAttributes(text[..<end])
        guard try attributes.next("c") == Base64.encode(Array(header.utf8)) else {
            throw .malformed("the header is another one than at first")
        }
        guard try attributes.next("r") == nonce else { throw .malformed("the nonce is another one than at first") }
        guard let proof = Base64.decode(text[text.index(end, offsetBy: 3)...]), proof.count == ScramHash.bytes else {
            throw .malformed("the proof is not \(ScramHash.bytes) bytes in base64")
        }
        let whole = Array("\(said),\(text[..<end])".utf8)
        let clientKey = ScramHash.exclusiveOr(proof, ScramHash.hmac(verifier.storedKey, whole))
        guard ScramHash.isEqual(ScramHash.digest(clientKey), verifier.storedKey) else { throw .wrongProof }
        return Array("v=\(Base64.encode(ScramHash.hmac(verifier.serverKey, whole)))".utf8)
    }

    /// A NUL-terminated name, a length, and the message.
    private static func split(_ body: [UInt8]) throws(ScramFault) -> (mechanism: String, message: [UInt8]) {
        let parts = body.withUnsafeBytes { bytes -> (String, [UInt8])? in
            var reader = WireReader(bytes, tag: FrontendTag.password)
            guard let mechanism = try? reader.text(), let message = (try? reader.value()) ?? nil,
                reader.remaining == 0
            else { return nil }
            return (mechanism, message)
        }
        guard let parts else { throw .malformed("the first response is not a mechanism and a message") }
        return parts
    }
}

extension String {
    /// Where the last occurrence of an ASCII text begins.
    fileprivate func range(ofLast text: String) -> Index? {
        let wanted = Array(text.utf8)
        let bytes = Array(utf8)
        guard bytes.count >= wanted.count else { return nil }
        for start in stride(from: bytes.count - wanted.count, through: 0, by: -1)
        where bytes[start..<start + wanted.count].elementsEqual(wanted) {
            return utf8.index(startIndex, offsetBy: start)
        }
        return nil
    }
}
