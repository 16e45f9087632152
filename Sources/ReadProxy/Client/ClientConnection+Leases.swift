import Instruments
import NIOCore
import PostgresWire
import Records
import Topology

/// From asking for a backend to giving it back, with the session's settings that go to it and come back from it.
extension ClientConnection {
    /// Whether there is a backend now; else the message stays until there is.
    func hasBackend() -> Bool {
        if backend != nil { return true }
        guard let backend = loop.lease(self) else {
            pause = .lease
            waitingSince = loop.eventLoop.now
            return false
        }
        return begin(backend)
    }

    /// Takes a backend. False as long as it does not have the client's settings.
    private func begin(_ backend: BackendConnection) -> Bool {
        backend.lease(to: self)
        self.backend = backend
        hasAnswered = false
        sawFatal = false
        unnamedIsThere = false
        unnamedIsReplaced = false
        touchesSettings = false
        touchesReading = false
        statementsBefore = statements
        replay?.clear()
        if replay == nil { replay = ByteBuffer() }
        guard backend.settings !== settings else {
            tellParameters(of: backend)
            return true
        }
        pause = .backend
        backend.take(settings) { [self] report in
            pause = .none
            if let report {
                giveBack()
                return fail(report)
            }
            tellParameters(of: backend)
            proceed()
        }
        return false
    }

    /// There is a backend with the client's settings.
    func proceed() {
        if case .welcoming = phase {
            welcome()
            giveBack()
        }
        goOn()
    }

    func granted(_ backend: BackendConnection) {
        loop.instruments.waits.record(Int((loop.eventLoop.now - waitingSince).nanoseconds / 1000))
        pause = .none
        if begin(backend) { proceed() }
    }

    func refused(_ reason: ReadChoice.Reason) {
        pause = .none
        switch reason {
        case .full:
            fail(
                Report(
                    .error,
                    "53300",
                    "no connection to a node became free in time",
                    hint: "Raise read.pool_size, or read.wait."
                )
            )
        case .nobody:
            fail(Report(.error, "57P03", "no node can be read from now", hint: "See forebay status."))
        case .floor:
            let list = wanted.map(\.description).joined(separator: ", ")
            fail(
                Report(
                    .error,
                    "58000",
                    "no node that may be read from showed in time what \(OwnSetting.name), or a write of one's own, asks for",
                    detail: "Asked for: \(list).",
                    hint: "Raise read.wait, set read.overdue, or RESET \(OwnSetting.name)."
                )
            )
        }
    }

    func isLate(_ now: NIODeadline) -> Bool { now - waitingSince >= TimeAmount(loop.configuration.wait) }

    /// Tells the client what has changed of its session, since it is on another backend.
    private func tellParameters(of backend: BackendConnection) {
        let now = backend.parameters
        if case .welcoming = phase {
            told = now
            settings.parameters = now
            return
        }
        guard now !== told else { return }
        for (name, value) in now.values.sorted(by: { $0.key < $1.key }) where told.values[name] != value {
            write(.parameterStatus(name: name, value: value))
        }
        told = now
    }

    /// The backend owes nothing any more.
    func settled() {
        settle()
        guard case .turn = pause else { return }
        pause = .none
        goOn()
    }

    private func settle() {
        guard let backend else { return }
        if isRunningAgain {
            isRunningAgain = false
            // Statements before the one that failed may have set something, which nobody has asked for yet.
            if touchesSettings { backend.isSuspect = true }
            let before = statementsBefore
            takeBackUnnamed()
            giveBack()
            statementsBefore = before
            return runAgain(avoiding: backend.node)
        }
        guard backend.exchange.isSettled else {
            // What is open now, a transaction or a batch, can't be begun anew elsewhere.
            replay = nil
            return
        }
        attempts = 0
        avoidedNode = nil
        if isPinned || loop.configuration.pooling == .session {
            hasAnswered = false
            replay = nil
            return
        }
        guard touchesSettings else {
            giveBack()
            return
        }
        touchesSettings = false
        pause = .backend
        backend.ask(SessionSettings.harvest) { [self] result in
            pause = .none
            switch result {
            case .success(let rows):
                adopt(rows, from: backend)
                giveBack()
            case .failure:
                // What the session has now is not known: it stays with the client.
                pin()
            }
            goOn()
        }
    }

    /// What a session on the backend has now is what the client wants from now on.
    private func adopt(_ rows: [[String?]], from backend: BackendConnection) {
        var values: [String: String] = [:]
        for row in rows where row.count == 2 {
            guard let name = row[0], let value = row[1] else { continue }
            if name == "default_transaction_read_only" {
                // Turned off by a way that was not seen coming: the next client must not find it so.
                if value != "on" { backend.isSuspect = true }
                continue
            }
            values[name.lowercased()] = value
        }
        // The list does not show settings of a client's own making: what was put there for it stays there.
        if backend.settings.values.keys.contains(where: { $0.contains(".") }) { backend.isSuspect = true }
        backend.settled(on: loop.settings(values))
        // What was reset is, for this client, what its startup packet said.
        settings = loop.settings(startup.values.merging(values) { $1 })
    }

    func pin() {
        guard !isPinned else { return }
        isPinned = true
        loop.instruments.pins.add()
    }

    private func giveBack() {
        guard let backend else { return }
        self.backend = nil
        statementsBefore = [:]
        // An idle client is to cost little.
        if let capacity = replay?.capacity, capacity > 4096 { replay = ByteBuffer() }
        if unnamedBefore.capacity > 4096 { unnamedBefore = ByteBuffer() }
        loop.release(backend)
        resumeReading()
    }
}
