/// The time, as the delivery sees it. Used on the lane's flusher thread only.
package protocol DeliveryClock: AnyObject {
    /// Time since any fixed moment; never goes back.
    var now: Duration { get }
    /// Microseconds since 1970-01-01 00:00 UTC, to be read by people.
    var wallTime: Int64 { get }
}
