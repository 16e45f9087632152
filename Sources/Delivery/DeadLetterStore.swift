package import Records

/// Where rows go that can't be delivered. Shared by all lanes, and used on their threads.
package protocol DeadLetterStore: AnyObject, Sendable {
    /// Records the letters. When it returns they are on disk; when it throws, none or some of them may be.
    ///
    /// Positions that are recorded already are not recorded twice.
    func record(_ letters: [DeadLetter]) throws(DeadLetterFault)
    /// After this returns, no letter of the lane that `record` failed to record can turn out to be there: a store that can't say so throws. To be called
    /// before rows of the lane are sent.
    func endDoubts(of lane: LaneKey) throws(DeadLetterFault)
    /// The recorded positions within `range`, clipped to it, ascending, whatever became of the letters since.
    ///
    /// Remembered at least until the queue has trimmed them, since the ledger can go back to any offset that can still be read.
    func recorded(_ lane: LaneKey, in range: ClosedRange<Offset>) -> [ClosedRange<Offset>]
}

/// The store could not take the letters (an I/O error, no space); the lane waits and tries again.
package struct DeadLetterFault: Error, Hashable, Sendable {
    package var message: String

    package init(_ message: String) {
        self.message = message
    }
}
