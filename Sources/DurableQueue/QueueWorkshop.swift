package import SegmentedLog

/// A queue directory that nobody else has open, to be examined and mended.
package struct QueueWorkshop: Sendable {
    private let lock: DirectoryLock
    private let repair: QueueRepair

    /// - Throws: ``QueueFault/locked(path:holder:)`` while a proxy runs.
    package init(path: String, replaceable: [QueueRepair.Replaceable]) throws(QueueFault) {
        lock = try DirectoryLock(path)
        repair = QueueRepair(QueueDirectory(path), on: POSIXFileSystem(), replaceable: replaceable)
    }

    package func examine() throws(QueueFault) -> [QueueRepair.Finding] {
        do throws(FileFault) { return try repair.examine() } catch { throw .log(.file(error)) }
    }

    package func apply(_ finding: QueueRepair.Finding) throws(QueueFault) {
        do throws(FileFault) {
            try repair.apply(finding, tag: UInt64.random(in: 0 ... .max))
        } catch {
            throw .log(.file(error))
        }
    }

    package func close() {
        lock.release()
    }
}
