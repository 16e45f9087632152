package import Instruments

/// What the listeners count. Written by event loops, read by anybody.
package final class IngestInstruments: Sendable {
    /// Answers by status class: 2xx, 4xx, 5xx.
    package let succeeded = Counter()
    package let refused = Counter()
    package let failed = Counter()
    /// Events that an append was acknowledged for, repeats left out.
    package let eventsAccepted = Counter()
    /// Events that were refused for what they are: by a 400, by `on_error=skip`, or as a bad TCP line.
    package let eventsRefused = Counter()
    /// Bytes as they came from sockets, after TLS.
    package let bytesReceived = Counter()
    /// Event lines over TCP, refused ones too.
    package let linesReceived = Counter()
    package let connections = Gauge()
    package let connectionsAccepted = Counter()
    /// Closed at once because there were too many.
    package let connectionsRefused = Counter()
    /// Closed for being too slow: 408, idle, or answers left unread.
    package let connectionsTimedOut = Counter()
    /// Requests and batches that had to wait for memory.
    package let budgetWaits = Counter()
    /// Bytes of bodies and lines in the hands of the listeners.
    package let inFlightBytes = Gauge()
    /// Microseconds from the last byte of a body to its answer being written, of appended requests.
    package let ackLatency = Histogram()

    package init() {}

    func countAnswer(status: Int) {
        switch status {
        case ..<400: succeeded.add()
        case ..<500: refused.add()
        default: failed.add()
        }
    }
}
