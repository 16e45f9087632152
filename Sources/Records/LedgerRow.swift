/// A lane's row in `forebay.ledger`: as of a claim, or as a node shows it.
package struct LedgerRow: Hashable, Sendable {
    /// The number of the last claim.
    package var epoch: Int64
    /// The last offset that the database holds.
    package var position: Offset

    package init(epoch: Int64, position: Offset) {
        self.epoch = epoch
        self.position = position
    }
}
