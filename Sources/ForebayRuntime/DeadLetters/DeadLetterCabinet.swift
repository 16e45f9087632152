import Delivery
import DurableQueue
import Logging
import Records
import SegmentedLog

/// The dead-letter files of the queue directory, as the delivery sees them.
final class DeadLetterCabinet: DeadLetterStore, Sendable {
    let log: DeadLetterLog

    private init(_ log: DeadLetterLog) {
        self.log = log
    }

    /// Opens the files; the queue's lock is held by the caller's queue.
    static func open(_ queue: DurableQueue, log: Logger) throws(DeadLetterLogFault) -> DeadLetterCabinet {
        let files = try DeadLetterLog.open(
            directory(of: queue.configuration.path),
            files: POSIXFileSystem(),
            salt: { UInt64.random(in: 0 ... .max) }
        )
        for damage in files.opening.torn {
            log.warning("an unfinished dead letter was cut off", metadata: ["at": "\(damage)"])
        }
        for damage in files.opening.corrupt {
            log.critical("dead letters can't be read; they are left where they are", metadata: ["at": "\(damage)"])
        }
        try adopt(into: files, queue, log)
        return DeadLetterCabinet(files)
    }

    /// The end of an adoption: the lanes were moved when the queue was opened, now their letters are brought over.
    private static func adopt(
        into letters: DeadLetterLog,
        _ queue: DurableQueue,
        _ log: Logger
    ) throws(DeadLetterLogFault) {
        let files = POSIXFileSystem()
        let ordered: QueueAdoption?
        do throws(LogFault) {
            ordered = try QueueAdoption.pending(in: queue.directory, on: files)
        } catch {
            throw .adoption(error)
        }
        guard let adoption = ordered else { return }
        let source = try DeadLetterLog.open(
            directory(of: adoption.source.path),
            files: files,
            salt: { UInt64.random(in: 0 ... .max) }
        )
        let count = try letters.adopt(from: source)
        for damage in source.opening.corrupt {
            log.critical("dead letters can't be read, and were not taken over", metadata: ["at": "\(damage)"])
        }
        do throws(LogFault) { try adoption.finish() } catch { throw .adoption(error) }
        log.notice(
            "another queue directory is taken over",
            metadata: ["from": "\(adoption.source.path)", "letters": "\(count)"]
        )
    }

    /// Where the dead letters of the queue at `path` are kept.
    static func directory(of path: String) -> String { "\(path)/dead-letters" }

    func record(_ letters: [DeadLetter]) throws(DeadLetterFault) {
        do throws(DeadLetterLogFault) {
            try log.record(letters)
        } catch {
            throw DeadLetterFault("\(error)")
        }
    }

    func endDoubts(of lane: LaneKey) throws(DeadLetterFault) {
        do throws(DeadLetterLogFault) {
            try log.endDoubts(of: lane)
        } catch {
            throw DeadLetterFault("\(error)")
        }
    }

    func recorded(_ lane: LaneKey, in range: ClosedRange<Offset>) -> [ClosedRange<Offset>] {
        log.recorded(lane, in: range)
    }
}
