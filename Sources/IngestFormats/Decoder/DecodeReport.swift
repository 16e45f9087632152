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

/// What a fault does to the other events of the body.
package enum OnError: Hashable, Sendable {
    /// One fault refuses them all; the search for faults goes on, so that the answer can list them.
    case refuseAll
    /// Every event stands for itself.
    case skip
}

/// How the events stand in the body.
package enum BodyFormat: Hashable, Sendable {
    /// A JSON array of objects if the first character is a bracket. Else, if the first line ends within an object, one object over
    /// several lines; else lines as in `lines`.
    case detect
    /// NDJSON: an object a line. Blank lines are skipped, lines may end in CRLF, and the last one need not end.
    case lines
}

/// Bounds on what one body may ask for.
package struct DecodeLimits: Hashable, Sendable {
    /// Events of one body.
    package var events: Int
    /// Bytes of one event's text.
    package var eventBytes: Int
    /// Levels of nesting, the event's own object being the first.
    package var depth: Int

    package init(events: Int = 100_000, eventBytes: Int = 1 << 20, depth: Int = 64) {
        self.events = events
        self.eventBytes = eventBytes
        self.depth = depth
    }
}
