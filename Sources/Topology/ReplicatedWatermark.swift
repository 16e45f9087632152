package import Records

/// What the replicas show of a lane, and which of it counts.
package enum ReplicatedWatermark {
    /// The last offset that the required replicas hold, nil if it can't be told yet.
    ///
    /// A replica counts only when it shows the epoch of the current claim: one that still shows an older epoch has not replayed
    /// the claim, and one that stands on an abandoned timeline never will.
    ///
    /// - Parameters:
    ///   - shown: the lane's ledger row on each reachable replica that has one.
    ///   - required: how many replicas must hold an offset; 0 leaves it to the primary alone.
    ///   - claim: the lane's row as the primary last showed it.
    package static func select(from shown: [LedgerRow], required: Int, claim: LedgerRow) -> Offset? {
        guard required > 0 else { return claim.position }
        let positions = shown.filter { $0.epoch == claim.epoch }.map { min($0.position, claim.position) }.sorted(by: >)
        return positions.count >= required ? positions[required - 1] : nil
    }
}
