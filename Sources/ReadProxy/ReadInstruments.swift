package import Instruments

/// What the read port counts. Written by event loops, read by anybody.
package final class ReadInstruments: Sendable {
    package let clients = Gauge()
    package let clientsAccepted = Counter()
    /// Beyond a limit of connections.
    package let clientsRefused = Counter()
    package let loginsFailed = Counter()
    /// Clients that wait for a connection to a node.
    package let waiting = Gauge()
    /// Times that a backend was given to a client, which is once per transaction or session.
    package let transactions = Counter()
    /// Of these, on the primary.
    package let primaryReads = Counter()
    /// Statements that were run again elsewhere because their backend was lost before it answered.
    package let reruns = Counter()
    /// Transactions that found no node in time.
    package let refusals = Counter()
    /// Sessions that keep a backend for what they left in it.
    package let pins = Counter()
    package let cancels = Counter()
    /// Backends that were closed because something was not as it had to be.
    package let backendFaults = Counter()
    /// Microseconds that a transaction waited for a connection to a node.
    package let waits = Histogram()
    package let bytesToClients = Counter()
    package let nodes: [Node]

    /// A node's connections.
    package final class Node: Sendable {
        package let inUse = Gauge()
        package let idle = Gauge()
        package let opened = Counter()
        package let failed = Counter()
    }

    package init(nodes: Int) {
        self.nodes = (0..<nodes).map { _ in Node() }
    }
}
