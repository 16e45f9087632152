import Instruments
import NIOCore
import PostgresWire

extension ClientConnection {
    /// Deals with a packet before the login; false if none is there.
    func greet() -> Bool {
        do {
            guard let length = try held.withUnsafeReadableBytes({ try StartupPacket.length($0) }),
                let bytes = held.readSlice(length: length)
            else { return false }
            switch try bytes.withUnsafeReadableBytes({ try StartupPacket(decoding: $0) }) {
            case .cancel(let key):
                loop.registry.loop(of: key)?.cancel(key.process)
                close()
                return false
            case .requestTLS: return answer(.requestTLS)
            case .requestGSSEncryption: return answer(.requestGSSEncryption)
            case .startup(let startup): return begin(startup)
            }
        } catch {
            end(Report(.fatal, "08P01", "\(error)"))
            return false
        }
    }

    private func begin(_ startup: StartupMessage) -> Bool {
        guard let user = startup["user"], !user.isEmpty else {
            end(Report(.fatal, "28000", "no PostgreSQL user name specified in startup packet"))
            return false
        }
        self.user = user
        let agreement = ProtocolVersion.agree(asked: startup.version, options: startup.protocolOptions)
        version = agreement.version
        if let answer = agreement.answer { write(answer) }
        if loop.users.count == 0 {
            end(
                Report(
                    .fatal,
                    "28000",
                    "nobody may log in to the read port",
                    hint: "Give postgres.reader a password, or name users in read.users_file."
                )
            )
            return false
        }
        let verifier = loop.users[user] ?? ScramVerifier(mockFor: user, secret: loop.mockSecret)
        write(.authentication(.sasl(mechanisms: [ScramVerifier.mechanism])))
        phase = .login(ScramServer(verifier: verifier, nonce: loop.randomBytes(18)), startup)
        return true
    }

    /// Deals with an answer to a challenge; false if none is there.
    func login(_ machine: ScramServer, _ startup: StartupMessage) -> Bool {
        var machine = machine
        do {
            let header = try held.withUnsafeReadableBytes {
                try MessageHeader.read($0, at: 0, limit: WireLimits.loginBytes)
            }
            guard let header, var message = held.readSlice(length: header.messageBytes) else { return false }
            guard header.tag == FrontendTag.password else { throw WireFault.unknownTag(header.tag) }
            message.moveReaderIndex(forwardBy: MessageHeader.bytes)
            let body = Array(message.readableBytesView)
            if !machine.isChallenged {
                write(.authentication(.saslContinue(try machine.begin(body))))
                phase = .login(machine, startup)
                return true
            }
            let final = try machine.finish(body)
            // A name that nobody has cannot get here: no proof fits its verifier.
            write(.authentication(.saslFinal(final)), .authentication(.ok))
            return enter(startup)
        } catch ScramFault.wrongProof {
            loop.instruments.loginsFailed.add()
            end(Report(.fatal, "28P01", "password authentication failed for user \"\(user)\""))
        } catch {
            loop.instruments.loginsFailed.add()
            end(Report(.fatal, "08P01", "\(error)"))
        }
        return false
    }

    func channelActive(context: ChannelHandlerContext) {
        if let guest {
            user = guest["user"] ?? ""
            if enter(guest) { process() }
            flush()
        }
        context.fireChannelActive()
    }

    /// The client is who it says.
    private func enter(_ startup: StartupMessage) -> Bool {
        let database = startup["database"] ?? user
        guard database == loop.configuration.upstream.database else {
            end(
                Report(
                    .fatal,
                    "3D000",
                    "database \"\(database)\" is not served by the read port",
                    hint: "Connect to \"\(loop.configuration.upstream.database)\"."
                )
            )
            return false
        }
        do {
            settings = loop.settings(try SessionSettings.of(startup))
            self.startup = settings
            if let receipts = startup[OwnSetting.name] {
                floor = try Self.positions(receipts)
                loop.want(floor)
            }
        } catch {
            end(error)
            return false
        }
        guard let key = loop.registry.login(user, on: loop, secretBytes: version == .newest ? 32 : 4) else {
            loop.instruments.clientsRefused.add()
            end(Report(.fatal, "53300", "too many connections for user \"\(user)\""))
            return false
        }
        self.key = key
        loop.add(self, process: key.process)
        phase = .welcoming
        if let parameters = settings.parameters {
            told = parameters
            welcome()
            return true
        }
        // No node has taken these settings yet: whether they are good, and what follows from them, only one can tell.
        if hasBackend() { proceed() }
        return true
    }

    /// Tells the client of its session.
    func welcome() {
        guard let key else { preconditionFailure("a client is welcomed before it has a key") }
        phase = .open
        var writer = WireWriter()
        for (name, value) in told.values.sorted(by: { $0.key < $1.key }) {
            BackendMessage.parameterStatus(name: name, value: value).encode(into: &writer)
        }
        BackendMessage.backendKeyData(key).encode(into: &writer)
        BackendMessage.readyForQuery(.idle).encode(into: &writer)
        write(ByteBuffer(bytes: writer.bytes))
    }
}
