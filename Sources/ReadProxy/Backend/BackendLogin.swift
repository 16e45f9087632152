import PostgresWire

/// A backend's way from the startup packet to its first ReadyForQuery. Calls nothing.
///
/// ```
/// begun ──▶ challenged ──▶ proved ──▶ welcomed ──▶ (ready)
///   └──────── trust ───────────────────▲
/// ```
struct BackendLogin {
    private enum State {
        /// To `challenged`, or to `welcomed` where no password is asked for.
        case begun
        case challenged(ScramClient)
        case proved(ScramClient)
        /// The server has proved itself, and has to let us in.
        case verified
        case welcomed
    }

    enum Action: Equatable {
        case none
        /// The body of a password message.
        case answer([UInt8])
        case ready
    }

    private var state = State.begun
    private let password: String?
    private let nonce: [UInt8]
    private(set) var keys: ScramClient.CachedKeys?
    private(set) var parameters: [String: String] = [:]
    private(set) var cancelKey: CancelKey?

    init(password: String?, nonce: [UInt8], keys: ScramClient.CachedKeys?) {
        self.password = password
        self.nonce = nonce
        self.keys = keys
    }

    /// - Throws: the server's own report, or one of ours about what it said.
    mutating func handle(_ message: BackendMessage) throws(Report) -> Action {
        switch (state, message) {
        case (_, .error(let report)): throw report
        case (_, .notice), (.begun, .negotiateProtocolVersion): return .none
        case (.begun, .authentication(.ok)), (.verified, .authentication(.ok)):
            state = .welcomed
            return .none
        case (.begun, .authentication(.sasl(let mechanisms))):
            guard mechanisms.contains(ScramVerifier.mechanism) else {
                throw Self.fault("the server offers only \(mechanisms.joined(separator: ", "))")
            }
            guard let password else { throw Self.fault("the server asks for a password, and there is none") }
            let client = ScramClient(password: password, nonce: nonce, keys: keys)
            state = .challenged(client)
            return .answer(client.initialResponse)
        case (.challenged(var client), .authentication(.saslContinue(let bytes))):
            let proof = try Self.step { () throws(ScramFault) in try client.prove(bytes) }
            state = .proved(client)
            return .answer(proof)
        case (.proved(var client), .authentication(.saslFinal(let bytes))):
            keys = try Self.step { () throws(ScramFault) in try client.verify(bytes) }
            state = .verified
            return .none
        case (.begun, .authentication(.cleartextPassword)), (.begun, .authentication(.md5Password)):
            throw Self.fault(
                "the server asks for the password in a weaker way than SCRAM-SHA-256; see password_encryption"
            )
        case (.begun, .authentication), (.challenged, .authentication), (.proved, .authentication),
            (.verified, .authentication):
            throw Self.fault("the server asks for a login that is not served")
        case (.welcomed, .parameterStatus(let name, let value)):
            parameters[name] = value
            return .none
        case (.welcomed, .backendKeyData(let key)):
            cancelKey = key
            return .none
        case (.welcomed, .readyForQuery(.idle)): return .ready
        default: throw Self.fault("the server does not keep to the protocol")
        }
    }

    private static func step<Value>(_ body: () throws(ScramFault) -> Value) throws(Report) -> Value {
        do {
            return try body()
        } catch {
            throw fault("\(error)")
        }
    }

    private static func fault(_ text: String) -> Report { Report(.fatal, "08P01", text) }
}
