/// How a body's decoding ended.
package struct DecodeReport: Hashable, Sendable {
    /// The most faults that a report lists.
    package static let faultLimit = 100

    /// Events whose rows are in the batch.
    package var accepted = 0
    /// Events with a fault. With ``OnError/refuseAll`` counting ends once ``faultLimit`` faults are known.
    package var refused = 0
    /// The first faults, at most one for an event, in the order of the body.
    package var faults: [DecodeFault] = []
    /// Where the body's structure breaks so that what follows can't be told apart; nil if every event was found.
    package var malformedAt: Int?

    package init() {}

    /// Every event was accepted.
    package var isClean: Bool { refused == 0 && malformedAt == nil }
}
