import Instruments
package import Records
import SegmentedLog
import Synchronization

/// The queue at a glance.
package struct QueueStatus: Sendable {
    package var id: QueueID
    package var lanes: [LaneProgress]
    /// Bytes of the directory's segments, spares and sidecars.
    package var usedBytes: Int
    package var limitBytes: Int
    package var reserveBytes: Int
    package var segmentBytes: Int
    package var pendingBytes: Int
    /// Idempotency keys known.
    package var knownKeys: Int
    /// Lanes that refuse requests for lack of room.
    package var fullLanes: [LaneID]
    /// Some lane takes requests.
    package var isAccepting: Bool
}

extension DurableQueue {
    package func status() -> QueueStatus {
        let (id, lanes) = roster.withLock { ($0.id, $0.all) }
        return QueueStatus(
            id: id,
            lanes: lanes.map(progress),
            usedBytes: context.budget.usedBytes,
            limitBytes: context.budget.limit,
            reserveBytes: context.budget.reserve,
            segmentBytes: context.options.segmentBytes,
            pendingBytes: metrics.pendingBytes.value,
            knownKeys: keys.count,
            fullLanes: writers.filter(\.isFull).map(\.number),
            isAccepting: isAccepting
        )
    }

    /// Whether some lane takes requests. Cheap.
    package var isAccepting: Bool { writers.contains(where: \.takesRequests) }

    /// The lane of that number, taken modulo the lanes; the next that takes requests, if that one does not and another does. Cheap.
    package func lane(from number: Int) -> LaneID {
        let first = number % writers.count
        for index in first..<first + writers.count where writers[index % writers.count].takesRequests {
            return LaneID(UInt16(index % writers.count))
        }
        return LaneID(UInt16(first))
    }

    /// The budget, or the file system, has no room for a further segment: then age and bytes of retention yield.
    package var isPressed: Bool { !hasRoomForSegment || writers.contains(where: \.isFull) }

    /// Whether a request waits for this watermark.
    package func isAwaited(_ watermark: Watermark) -> Bool {
        roster.withLock { $0.all }.contains { $0.isAwaited(watermark) }
    }

    var hasRoomForSegment: Bool {
        let bytes = context.options.segmentBytes
        guard context.budget.hasRoom(for: bytes) else { return false }
        do throws(FileFault) {
            return try context.fileSystem.availableBytes(at: directory.path) - bytes >= context.budget.reserve
        } catch {
            return false
        }
    }
}
