/// How a lane delivers.
package struct DeliverySettings: Hashable, Sendable {
    /// The most rows of one flush.
    package var maximumRows = 20_000
    /// The rows of the first flush; it adapts from there.
    package var initialRows = 2_000
    /// A flush is ended with the block that reaches this many bytes of rows.
    package var maximumBytes = 4 << 20
    /// Flushes grow while they take less than half of this, and shrink when they take more.
    package var targetDuration = Duration.milliseconds(250)
    /// How long few rows wait for more, unless somebody waits for them to be committed.
    package var maximumDelay = Duration.milliseconds(50)
    /// How often an idle lane looks whether the ledger is still where it left it.
    package var checkInterval = Duration.seconds(10)
    /// Pauses after faults begin with this …
    package var firstPause = Duration.milliseconds(50)
    /// … and double up to this.
    package var longestPause = Duration.seconds(5)
    /// How long a parked stream's rows go aside before it is tried again.
    package var parkedFor = Duration.seconds(30)
    /// What is done without an order when the ledger went back further than a failover explains.
    package var onRestore = ClaimDecision.Order.hold

    package init() {}

    /// Every fault of the values, in words; empty if they can be used.
    package func validate() -> [String] {
        var faults: [String] = []
        if maximumRows < 1 { faults.append("maximumRows is \(maximumRows); at least 1 is needed") }
        if !(1...max(1, maximumRows)).contains(initialRows) {
            faults.append("initialRows is \(initialRows); expected 1 to maximumRows (\(maximumRows))")
        }
        if maximumBytes < 1 { faults.append("maximumBytes is \(maximumBytes); at least 1 is needed") }
        if targetDuration <= .zero { faults.append("targetDuration is \(targetDuration); it must be positive") }
        if maximumDelay < .zero { faults.append("maximumDelay is \(maximumDelay); it must not be negative") }
        if firstPause <= .zero { faults.append("firstPause is \(firstPause); it must be positive") }
        if longestPause < firstPause {
            faults.append("longestPause is \(longestPause); it must not be below firstPause (\(firstPause))")
        }
        if checkInterval <= .zero { faults.append("checkInterval is \(checkInterval); it must be positive") }
        if parkedFor <= .zero { faults.append("parkedFor is \(parkedFor); it must be positive") }
        return faults
    }
}
