/// How long a node is left alone between two looks.
///
/// A look costs the node a query and the proxy half a millisecond of processor, and under load the replicas are always a little behind: whoever drains
/// a backlog is not to pay for news that nobody waits for.
struct LookPace: Sendable {
    /// While somebody waits for what a look may show.
    static let short = Duration.milliseconds(50)
    static let long = Duration.milliseconds(250)
    /// Who has waited will wait again: for so long it stays at the short pause.
    static let patience = Duration.seconds(2)

    private var awaitedUntil = Duration.zero

    /// Somebody waits for a replica to show a position.
    mutating func await(at now: Duration) {
        awaitedUntil = now + Self.patience
    }

    /// - Parameters:
    ///   - isPrimaryUnsure: there is no primary, or it has not answered for a while.
    ///   - isHolding: the disk budget has no room, and the replicas keep the queue from being trimmed.
    func pause(isPrimaryUnsure: Bool, isHolding: Bool, at now: Duration) -> Duration {
        isPrimaryUnsure || isHolding || now < awaitedUntil ? Self.short : Self.long
    }
}
