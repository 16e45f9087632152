package import Records

/// What the read port asks of whoever observes the nodes. Called on event loops; must not block.
package struct ReadWatch: Sendable {
    /// It is time for a look: a node broke a connection, or somebody waits for a position.
    package var look: @Sendable () -> Void
    /// Nodes are to be asked for the ledger rows of these queues too, for a while.
    package var want: @Sendable (Set<QueueID>) -> Void
    /// What a user has written of late, which its reads are to show; nil where they need not.
    package var written: (@Sendable (String) -> [Position])?

    package init(
        look: @escaping @Sendable () -> Void,
        want: @escaping @Sendable (Set<QueueID>) -> Void,
        written: (@Sendable (String) -> [Position])? = nil
    ) {
        self.look = look
        self.want = want
        self.written = written
    }
}
