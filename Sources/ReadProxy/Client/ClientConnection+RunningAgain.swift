import Instruments
import NIOCore
import PostgresWire

/// What the client has sent since its lease began goes to another node when this one goes, as long as no byte of an answer went out.
extension ClientConnection {
    /// Statements up to this size can be run again.
    private static let replayBytes = 1 << 20
    private static let mostAttempts = 2

    var bytesHeld: Int { held.readableBytes + (replay?.readableBytes ?? 0) + (backend?.exchange.bytesKept ?? 0) }

    /// Keeps what was sent, as long as nothing was answered.
    func remember(_ message: ByteBuffer) {
        guard replay != nil, !hasAnswered else { return }
        if (replay?.readableBytes ?? 0) + message.readableBytes > Self.replayBytes {
            replay = nil
        } else {
            replay?.writeImmutableBuffer(message)
        }
    }

    private var mayRunAgain: Bool {
        guard let replay, replay.readableBytes > 0, case .open = phase else { return false }
        return !hasAnswered && !isPinned && attempts < Self.mostAttempts && loop.configuration.pooling == .transaction
    }

    /// The backend answers with an error. True if the client is not to see it: the statement is run again elsewhere.
    func runsAgain(after report: Report) -> Bool {
        guard mayRunAgain, Self.passing.contains(report.code), let backend else { return false }
        // A notice of the end, or the end itself.
        if report.isFatal || report.code == "57P02" { return true }
        guard backend.exchange.endsInReady else { return false }
        isRunningAgain = true
        // What comes meanwhile goes where this one goes, and behind it.
        pause = .turn
        return true
    }

    /// Shutdown, crash, not yet up, and a conflict with recovery: another node does not have it.
    private static let passing: Set<String> = ["57P01", "57P02", "57P03", "40001"]

    func runAgain(avoiding node: Int) {
        attempts += 1
        loop.instruments.reruns.add()
        avoidedNode = node
        statements = statementsBefore
        takeBackUnnamed()
        var input = replay ?? ByteBuffer()
        input.writeImmutableBuffer(held)
        held = input
        replay = ByteBuffer()
        pause = .none
        goOn()
    }

    /// To be called before the unnamed statement is replaced. The two take turns, so that neither is copied, nor its memory asked for anew.
    func keepUnnamed() {
        guard !unnamedIsReplaced else { return }
        unnamedIsReplaced = true
        swap(&unnamed, &unnamedBefore)
        swap(&unnamedTraits, &unnamedTraitsBefore)
    }

    func takeBackUnnamed() {
        guard unnamedIsReplaced else { return }
        unnamedIsReplaced = false
        swap(&unnamed, &unnamedBefore)
        swap(&unnamedTraits, &unnamedTraitsBefore)
    }

    /// The backend is gone.
    func lost(_ backend: BackendConnection, _ report: Report) {
        guard self.backend === backend else { return }
        self.backend = nil
        isCutShort = backend.exchange.isWithinMessage
        isRunningAgain = false
        pause = .none
        switch phase {
        case .welcoming where hasNotBegun:
            attempts += 1
            avoidedNode = backend.node
            if hasBackend() { proceed() }
        case .open where mayRunAgain: runAgain(avoiding: backend.node)
        case .open where hasNotBegun:
            attempts += 1
            avoidedNode = backend.node
            goOn()
        case .greeting, .login, .welcoming, .open, .closed: end(report)
        }
    }

    /// It has a backend, and nothing of its own was sent there: the settings come first.
    private var hasNotBegun: Bool {
        switch phase {
        case .welcoming: attempts < Self.mostAttempts
        case .open: !hasAnswered && replay?.readableBytes == 0 && attempts < Self.mostAttempts && !isPinned
        case .greeting, .login, .closed: false
        }
    }

    /// Nothing is heard of the node any more, and another one could run the statement.
    func leaveNode() {
        guard let backend, isWaiting(for: backend.node) else { return }
        backend.close()
        loop.lost(backend)
        lost(backend, Report(.fatal, "08006", "the node does not answer"))
    }

    func isWaiting(for node: Int) -> Bool {
        guard let backend, backend.node == node else { return false }
        return (mayRunAgain || hasNotBegun) && !backend.exchange.isEmpty
    }
}
