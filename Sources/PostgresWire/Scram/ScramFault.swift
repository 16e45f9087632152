/// Why a login over SCRAM does not go on.
package enum ScramFault: Error, Hashable, Sendable {
    /// A message is not of the form that RFC 5802 gives it.
    case malformed(String)
    case unknownMechanism(String)
    /// The client wants to bind the login to a TLS channel.
    case channelBinding
    /// The proof does not fit the verifier: a wrong password, or nobody of that name.
    case wrongProof
    /// The server does not know the password either.
    case wrongSignature
    /// The server says so, in its own word.
    case refused(String)
    /// The machine has ended, or the message comes out of turn.
    case outOfTurn
}

extension ScramFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .malformed(let what): "malformed SCRAM message: \(what)"
        case .unknownMechanism(let name): "SASL mechanism \(name) is not served; expected \(ScramVerifier.mechanism)"
        case .channelBinding: "channel binding is not served"
        case .wrongProof: "the password is wrong"
        case .wrongSignature: "the server did not prove that it knows the password"
        case .refused(let word): "the server refuses: \(word)"
        case .outOfTurn: "a SCRAM message out of turn"
        }
    }
}
