/// How long a lane's flusher waits for PostgreSQL, step by step.
package struct FlushDeadlines: Hashable, Sendable {
    /// For one node to accept a connection.
    package var connect: Duration
    /// For a claim. It waits for whatever still moves the lane's row, such as a lost connection's transaction.
    package var claim: Duration
    /// For all rows of a flush to be sent.
    package var send: Duration
    /// From the end of the last row to the answer to `COMMIT`.
    package var commit: Duration

    package init(
        connect: Duration = .seconds(5),
        claim: Duration = .seconds(30),
        send: Duration = .seconds(60),
        commit: Duration = .seconds(60)
    ) {
        self.connect = connect
        self.claim = claim
        self.send = send
        self.commit = commit
    }
}
