import Records

/// What one flush sends, and what has to be in the dead-letter store before it.
struct FlushPlan {
    /// The ledger goes from the order's position to here.
    var to: Offset
    var parts: [Flush.Part] = []
    /// Rows sent, over all parts.
    var rows = 0
    /// Bytes of the rows sent.
    var bytes = 0
    /// The first and the last row sent; nil if none is.
    var sent: ClosedRange<Offset>?
    /// To be recorded before the flush is sent. Only positions that are not recorded yet.
    var letters: [DeadLetter] = []

    /// The offset of the row that the server calls line `line` of part `part`.
    func offset(ofLine line: Int, part: Int) -> Offset? {
        guard parts.indices.contains(part), line > 0 else { return nil }
        return parts[part].offset(ofRow: line - 1)
    }
}

/// The frame of a flush, as the lane's machine orders it.
struct FlushOrder: Equatable {
    var epoch: Int64
    var from: Offset
    var rows: Int
    var bytes: Int
    /// The flush ends here at the latest.
    var through: Offset?
    /// Rows that were refused alone.
    var condemned: [Offset: DeadLetter.Reason]
    /// Whose rows go aside.
    var parked: ParkedStreams.Aside
}
