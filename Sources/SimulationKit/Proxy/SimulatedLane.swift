import Delivery
import Records
import SegmentedLog
import Topology

/// A lane of a simulated proxy with its two threads: the one that commits groups and the one that delivers.
///
/// The counterpart of the queue's lane, lane writer and lane reader and of the runtime's lane worker, without their threads.
final class SimulatedLane {
    let key: LaneKey
    let log: LaneLog
    let isDraining: Bool
    let report: LaneRecovery.Report
    var delivery: LaneDelivery?

    // The board.
    var marks: DeliveryMarks
    /// The ledger as the delivery last saw it; nil before the first claim.
    var ledger: LedgerRow?
    var hold: Hold?

    // The writer's inbox.
    var inbox: [AppendRequest] = []
    var isFull = false

    // The threads: whether they are in the middle of something, and what the delivery waits for.
    var isWriting = false
    var isDelivering = false
    var wakesAt: Duration? = .zero
    var sleepsRegardless = false
    var seenEnd = Offset.none
    /// Somebody woke the delivery since its step began.
    var isWoken = false

    // What waits for the delivery's next step.
    var hasOtherPrimary = false
    var order: (order: ClaimDecision.Order, system: ClaimDecision.System)?
    /// The choice that the last claim's connection was made by.
    var claimedBy: PrimaryChoice?
    /// The connection to the cluster; nil where there is one PostgreSQL.
    var session: ClusterSession?

    var hints = LaneHints()

    init(_ opened: LaneRecovery.Opened, isDraining: Bool) {
        log = opened.log
        report = opened.report
        key = opened.report.key
        self.isDraining = isDraining
        marks = report.hints.marks(upTo: report.end)
    }

    var catalogue: LaneCatalogue { log.catalogue }

    func wake() {
        isWoken = true
        wakesAt = .zero
        sleepsRegardless = false
    }

    /// Whether the delivery has something to do now.
    func isDue(at now: Duration) -> Bool {
        if let wakesAt, wakesAt <= now { return true }
        return !sleepsRegardless && catalogue.end > seenEnd
    }
}

/// The queue as the delivery sees it.
final class SimulatedSource: ChunkSource {
    private let cursor: LaneCursor
    private let layouts: LayoutCatalogue
    private let groupsRows: Bool

    init(_ catalogue: LaneCatalogue, _ context: LogContext, groupsRows: Bool) {
        self.groupsRows = groupsRows
        cursor = LaneCursor(catalogue: catalogue, context: context)
        layouts = context.layouts
    }

    var durable: Offset { cursor.catalogue.end }
    var firstAvailable: Offset { cursor.catalogue.first }

    func read(after offset: Offset, limit: ReadLimit) throws(SourceFault) -> ReadResult {
        do throws(LogFault) {
            let result = try cursor.read(after: offset, rows: limit.rows, bytes: limit.bytes)
            return ReadResult(chunks: result.chunks, lost: result.lost)
        } catch {
            throw SourceFault("\(error)")
        }
    }

    func grouping(of layout: RowLayout) -> [Int] { groupsRows ? [1] : [] }

    func layout(of fingerprint: Fingerprint) throws(SourceFault) -> RowLayout {
        guard let layout = layouts.layout(of: fingerprint) else { throw SourceFault("unknown layout \(fingerprint)") }
        return layout
    }
}

/// The dead-letter files as the delivery sees them; tells the world what is on disk.
final class SimulatedCabinet: DeadLetterStore, @unchecked Sendable {
    // Sendable because a world uses it on one thread.
    private let log: DeadLetterLog
    private let didRecord: ([DeadLetter]) -> Void

    init(_ log: DeadLetterLog, didRecord: @escaping ([DeadLetter]) -> Void) {
        self.log = log
        self.didRecord = didRecord
    }

    func record(_ letters: [DeadLetter]) throws(DeadLetterFault) {
        do throws(DeadLetterLogFault) {
            try log.record(letters)
        } catch {
            didRecord(letters.filter { log.recorded($0.lane, in: $0.range) == [$0.range] })
            throw DeadLetterFault("\(error)")
        }
        didRecord(letters)
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
