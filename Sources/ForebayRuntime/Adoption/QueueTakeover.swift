import DurableQueue
package import Logging
import Records
import SegmentedLog
import Topology

/// Takes over the queue directory of a dead proxy: "Adoption" in `SegmentedLog`. For the verb; no proxy runs on either directory.
package struct QueueTakeover {
    /// What there is to deliver now that was not there before.
    package struct Report: Hashable, Sendable {
        package var lanes = 0
        /// Rows that are not known to be committed.
        package var rows = 0
        /// Dead letters that are pending, those of this proxy included.
        package var letters = 0
    }

    /// Why a directory is not taken over, and nothing was changed.
    package struct Refusal: Error, CustomStringConvertible {
        package var description: String
    }

    private let configuration: ForebayConfiguration
    private let environment: [String: String]
    private let log: Logger

    package init(_ configuration: ForebayConfiguration, environment: [String: String], log: Logger) {
        self.configuration = configuration
        self.environment = environment
        self.log = log
    }

    /// Carries it out from the beginning, or from where it was cut short.
    package func run(of path: String) throws -> Report {
        let order = try AdoptionOrder(of: path, by: configuration.queue.path)
        try checkKeys(of: order.source.path)
        try rememberCluster(of: order)
        let lanes = try order.give()
        order.release()
        let queue = try DurableQueue.open(configuration.queueConfiguration(environment: environment), log: log)
        defer { queue.close() }
        let letters = try DeadLetterCabinet.open(queue, log: log).log
        var report = Report(lanes: lanes.count, letters: letters.summary.pending)
        for progress in lanes.compactMap({ queue.progress(of: $0) }) where progress.durable > progress.committed {
            report.rows += progress.committed.distance(to: progress.durable)
        }
        return report
    }

    /// A lane whose key is missing would stand still.
    private func checkKeys(of path: String) throws {
        let ring = try configuration.keyRing(environment: environment)
        let inspector = try QueueInspector(path: path, keyRing: ring)
        var missing: Set<String> = []
        for lane in try inspector.lanes() {
            let ids = try inspector.snapshot(lane).segments.compactMap { $0.header?.keyID }
            missing.formUnion(ids.filter { !ring.contains($0) })
        }
        guard missing.isEmpty else {
            throw Refusal(
                description: "\(path) is encrypted under keys that are not configured here: "
                    + "\(missing.sorted().joined(separator: ", ")); add them and try again"
            )
        }
    }

    /// The rows of the source belong into the cluster that it delivered to, and no timeline that it has seen counts as a primary's any more once it is past.
    private func rememberCluster(of order: AdoptionOrder) throws {
        let (theirs, file) = (ClusterFile(directory: order.source.path), ClusterFile(directory: order.directory.path))
        guard let seen = try theirs.read().get() else { return }
        guard var known = try file.read().get() else { return try file.write(seen) }
        guard known.systemIdentifier == seen.systemIdentifier else {
            throw Refusal(
                description:
                    "\(order.source.path) delivered to the cluster with system identifier \(seen.systemIdentifier), "
                    + "this proxy to \(known.systemIdentifier)"
            )
        }
        guard seen.timeline > known.timeline else { return }
        known.timeline = seen.timeline
        try file.write(known)
    }
}
