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
