package import Records

/// What happens on a lane, for metrics, logs and watermarks. Told on the lane's flusher thread; must not block.
package protocol DeliveryObserver: AnyObject {
    func observe(_ event: DeliveryEvent, of lane: LaneKey)
}

package enum DeliveryEvent: Hashable, Sendable {
    /// The lane was claimed. The committed watermark is `ledger.position` now: after a failover it may be lower than before. `undecided` is what the
    /// ledger was put back from, as long as nobody has decided about it, or the decision is not carried out; none otherwise. The next process has to know.
    case claimed(LedgerRow, undecided: Offset)
    /// A flush is in the database, by its own answer or by the ledger's. The committed watermark is `ledger.position` now.
    /// `duration` is nil where the answer was lost and the ledger settled it.
    case flushed(ledger: LedgerRow, rows: Int, bytes: Int, duration: Duration?)
    /// The server copied another number of rows than it was sent (a trigger swallows or multiplies them).
    case rowsDiffer(sent: Int, copied: Int)
    /// A claim or a flush failed; the next attempt comes after `pause`.
    case fault(DeliveryFault, ErrorClass, pause: Duration)
    /// The queue could not be read, or rows of it could not be told apart; the next attempt comes after `pause`.
    case sourceFault(SourceFault, pause: Duration)
    /// The dead-letter store did not take what had to go aside; the next attempt comes after `pause`.
    case deadLetterFault(DeadLetterFault, pause: Duration)
    /// What a failed flush came to, once the ledger was known.
    case outcome(FlushOutcome, from: Offset, to: Offset)
    /// A row was refused alone, and is in the dead-letter store.
    case deadLettered(Offset, stream: String, DeadLetter.Reason)
    /// Rows of a parked stream are in the dead-letter store.
    case setAside(ClosedRange<Offset>, stream: String)
    /// Positions that the queue can't read any more were recorded, and are passed.
    case unreadable(ClosedRange<Offset>)
    /// A stream fails as a whole, or one layout of it does; its rows go aside.
    case parked(stream: String, DeadLetter.Reason)
    case unparked(stream: String)
    /// The ledger went back, and what lies behind its position is sent again, as far as it is still there.
    case wentBack(from: Offset, to: Offset, ClaimDecision.Place)
    /// By order these positions are not sent; they are in the dead-letter store.
    case skipped(ClosedRange<Offset>)
    /// Somebody else claimed the lane or moved its ledger.
    case fenced
    /// The lane can't go on by itself. Told again with each look.
    case held(Hold)
}

/// Why a lane can't go on by itself.
package enum Hold: Hashable, Sendable {
    /// The ledger needs positions that the queue has no more: exactly these would be lost.
    case gap(ClosedRange<Offset>)
    /// The ledger went back further than a failover explains: a backup was restored.
    case restored(ledger: Offset, committed: Offset)
    /// The ledger holds more than the queue has ever had, so offsets would be used twice: a new queue identity is needed.
    /// Rows after `known` were accepted since the queue was opened; the ledger says nothing of them.
    case ledgerAhead(ledger: Offset, known: Offset)
}
