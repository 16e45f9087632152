package import Delivery
package import Records

/// A lane's connection to a ``SimulatedPostgres``, which can break at any point of a claim or a flush.
package final class SimulatedSession: Destination {
    /// How a call goes wrong.
    package enum Break: Hashable, Sendable {
        case refusedAtTheDoor
        case claimLostBefore
        case claimLostAfter
        case lostWhileSending
        /// The server did not get, or did not finish, the transaction.
        case lostRolledBack
        case lostCommitted
        /// The server is still at it.
        case lostUnderWay
        case server(String, DeliveryFault.Phase)
    }

    /// The points of the calls at which the process can be stopped, and others go on.
    package enum Point: String, Hashable, Sendable, CaseIterable {
        case connecting
        case claimed
        case looking
        case sending
        case sent
        case committed
    }

    private let postgres: SimulatedPostgres
    private let clock: SimulatedClock
    private let fuse: Fuse
    /// Asked at each claim and each flush; nil for a call that goes well.
    package var nextBreak: () -> Break? = { nil }
    /// Told of each point as it is reached.
    package var didReach: ((Point) -> Void)?
    /// Rows that a trigger drops silently from each flush, as the command tag has it.
    package var swallowed = 0
    package var flushDuration = Duration.milliseconds(5)
    package private(set) var flushes: [Flush] = []
    private var connectedSince: Int?
    /// False while the server takes what is sent and does not answer.
    var answers: () -> Bool = { true }
    /// False once the server has become a replica.
    var takesWrites: () -> Bool = { true }
    private var isBrokenOff = false

    package init(_ postgres: SimulatedPostgres, clock: SimulatedClock, fuse: Fuse = Fuse()) {
        self.postgres = postgres
        self.clock = clock
        self.fuse = fuse
    }

    package var isConnected: Bool { connectedSince == postgres.restarts && !isBrokenOff }

    package func disconnect() {
        connectedSince = nil
    }

    /// What is waited for is not waited for any longer; what was sent stays sent.
    func breakOff() {
        isBrokenOff = true
    }

    /// Returns whether the process goes on behind this point.
    private func pass(_ point: Point) -> Bool {
        didReach?(point)
        if case .passes = fuse.pass() { return true }
        connectedSince = nil
        return false
    }

    private func lost(_ phase: DeliveryFault.Phase, _ text: String) -> DeliveryFault {
        connectedSince = nil
        return DeliveryFault(phase: phase, cause: .connection(text))
    }

    package func claim(_ lane: LaneKey) throws(DeliveryFault) -> LedgerRow {
        guard pass(.connecting) else { throw lost(.connecting, "the process has stopped") }
        guard answers(), takesWrites(), !isBrokenOff else { throw lost(.connecting, "no answer") }
        switch nextBreak() {
        case .refusedAtTheDoor, .lostWhileSending:
            throw lost(.connecting, "connection refused")
        case .claimLostBefore, .lostRolledBack, .lostUnderWay:
            throw lost(.claiming, "connection reset")
        case .claimLostAfter, .lostCommitted:
            _ = postgres.claim(lane)
            throw lost(.claiming, "connection reset")
        case .server(let state, _):
            throw DeliveryFault(
                phase: .claiming,
                cause: .server(ServerError(sqlState: state, message: "claim refused"))
            )
        case nil: break
        }
        let row = postgres.claim(lane)
        connectedSince = postgres.restarts
        guard pass(.claimed) else { throw lost(.claiming, "the process has stopped") }
        guard answers(), !isBrokenOff else { throw lost(.claiming, "no answer") }
        return row
    }

    package func ledger(of lane: LaneKey) throws(DeliveryFault) -> LedgerRow? {
        guard pass(.looking) else { throw lost(.connecting, "the process has stopped") }
        guard answers(), takesWrites(), !isBrokenOff, nextBreak() == nil else {
            throw lost(.connecting, "connection reset")
        }
        connectedSince = postgres.restarts
        return postgres.state[lane].ledger
    }

    package func flush(_ flush: Flush) throws(DeliveryFault) -> FlushReceipt {
        try self.flush(flush, whileWaiting: {})
    }

    package func flush(_ flush: Flush, whileWaiting: () -> Void) throws(DeliveryFault) -> FlushReceipt {
        guard pass(.sending) else { throw lost(.connecting, "the process has stopped") }
        guard isConnected else { throw lost(.connecting, "the lane has not been claimed on a connection") }
        flushes.append(flush)
        whileWaiting()
        clock.now += flushDuration
        // Stopped with everything sent, or with the answer on its way: the server ends it as it likes.
        guard pass(.sent) else {
            postgres.leave(flush)
            throw lost(.committing, "the process has stopped")
        }
        guard connectedSince == postgres.restarts else { throw lost(.sending, "the server has stopped") }
        guard answers(), !isBrokenOff else {
            postgres.leave(flush)
            throw lost(.committing, "no answer")
        }
        switch nextBreak() {
        case .lostWhileSending, .refusedAtTheDoor, .claimLostBefore:
            throw lost(.sending, "broken pipe")
        case .lostRolledBack:
            throw lost(.committing, "no answer")
        case .lostCommitted:
            _ = postgres.commit(flush, atCommit: true)
            throw lost(.committing, "no answer")
        case .lostUnderWay, .claimLostAfter:
            postgres.leave(flush)
            throw lost(.committing, "no answer")
        case .server(let state, let phase):
            throw DeliveryFault(
                phase: phase,
                cause: .server(ServerError(sqlState: state, message: "flush refused"))
            )
        case nil: break
        }
        if let fault = postgres.commit(flush, atCommit: flush.to.rawValue % 2 == 0) { throw fault }
        guard pass(.committed) else { throw lost(.committing, "the process has stopped") }
        guard answers(), !isBrokenOff else { throw lost(.committing, "no answer") }
        return FlushReceipt(rows: flush.parts.reduce(0) { $0 + $1.rows } - swallowed)
    }
}
