import Delivery
import Records

/// The rows first, the ledger after them: two transactions.
final class LedgerOutsideTransaction: Destination {
    private let session: any Destination

    init(_ session: any Destination) {
        self.session = session
    }

    func claim(_ lane: LaneKey) throws(DeliveryFault) -> LedgerRow { try session.claim(lane) }
    func ledger(of lane: LaneKey) throws(DeliveryFault) -> LedgerRow? { try session.ledger(of: lane) }
    func disconnect() { session.disconnect() }

    func flush(_ flush: Flush) throws(DeliveryFault) -> FlushReceipt {
        var rows = flush
        rows.to = flush.from
        let receipt = try session.flush(rows)
        var ledger = flush
        ledger.parts = []
        _ = try session.flush(ledger)
        return receipt
    }
}

/// After a commit without an answer: connects again, and sends the same rows again.
final class BlindResend: Destination {
    private let session: any Destination

    init(_ session: any Destination) {
        self.session = session
    }

    func claim(_ lane: LaneKey) throws(DeliveryFault) -> LedgerRow { try session.claim(lane) }
    func ledger(of lane: LaneKey) throws(DeliveryFault) -> LedgerRow? { try session.ledger(of: lane) }
    func disconnect() { session.disconnect() }

    func flush(_ flush: Flush) throws(DeliveryFault) -> FlushReceipt {
        do throws(DeliveryFault) {
            return try session.flush(flush)
        } catch {
            guard error.phase == .committing, case .connection = error.cause else { throw error }
            let row = try session.claim(flush.lane)
            var again = flush
            again.epoch = row.epoch
            again.from = row.position
            again.to = max(row.position, flush.to)
            return try session.flush(again)
        }
    }
}
