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
        return DeadLetterCabinet(files)
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
