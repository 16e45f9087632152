import Delivery
import Records

/// A lane's connection to a ``FakePostgres``, which can break at any point of a claim or a flush.
final class FakeSession: Destination {
    /// How a call goes wrong.
    enum Break {
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

    private let postgres: FakePostgres
    private let clock: FakeClock
    /// Asked at each claim and each flush; nil for a call that goes well.
    var nextBreak: () -> Break? = { nil }
    /// Rows that a trigger drops silently from each flush, as the command tag has it.
    var swallowed = 0
    var flushDuration = Duration.milliseconds(5)
    private(set) var flushes: [Flush] = []
    private(set) var isConnected = false

    init(_ postgres: FakePostgres, clock: FakeClock) {
        self.postgres = postgres
        self.clock = clock
    }

    func claim(_ lane: LaneKey) throws(DeliveryFault) -> LedgerRow {
        switch nextBreak() {
        case .refusedAtTheDoor, .lostWhileSending:
            throw DeliveryFault(phase: .connecting, cause: .connection("connection refused"))
        case .claimLostBefore, .lostRolledBack, .lostUnderWay:
            throw DeliveryFault(phase: .claiming, cause: .connection("connection reset"))
        case .claimLostAfter, .lostCommitted:
            _ = postgres.claim()
            throw DeliveryFault(phase: .claiming, cause: .connection("connection reset"))
        case .server(let state, _):
            throw DeliveryFault(
                phase: .claiming,
                cause: .server(ServerError(sqlState: state, message: "claim refused"))
            )
        case nil:
            isConnected = true
            return postgres.claim()
        }
    }

    func ledger(of lane: LaneKey) throws(DeliveryFault) -> LedgerRow? {
        if nextBreak() != nil {
            throw DeliveryFault(phase: .connecting, cause: .connection("connection reset"))
        }
        return postgres.state.ledger
    }

    func flush(_ flush: Flush) throws(DeliveryFault) -> FlushReceipt {
        flushes.append(flush)
        clock.now += flushDuration
        switch nextBreak() {
        case .lostWhileSending, .refusedAtTheDoor, .claimLostBefore:
            throw DeliveryFault(phase: .sending, cause: .connection("broken pipe"))
        case .lostRolledBack:
            throw DeliveryFault(phase: .committing, cause: .connection("no answer"))
        case .lostCommitted:
            let refusal = postgres.commit(flush, atCommit: true)
            if refusal == nil, postgres.omissions.contains(.askingTheLedger) { postgres.leave(flush) }
            throw DeliveryFault(phase: .committing, cause: .connection("no answer"))
        case .lostUnderWay, .claimLostAfter:
            postgres.leave(flush)
            throw DeliveryFault(phase: .committing, cause: .connection("no answer"))
        case .server(let state, let phase):
            throw DeliveryFault(
                phase: phase,
                cause: .server(ServerError(sqlState: state, message: "flush refused"))
            )
        case nil: break
        }
        if let fault = postgres.commit(flush, atCommit: flush.to.rawValue % 2 == 0) { throw fault }
        return FlushReceipt(rows: flush.parts.reduce(0) { $0 + $1.rows } - swallowed)
    }

    func flush(_ flush: Flush, whileWaiting: () -> Void) throws(DeliveryFault) -> FlushReceipt {
        whileWaiting()
        return try self.flush(flush)
    }

    func disconnect() {
        isConnected = false
    }
}
