import Records
import SegmentedLog

/// A queue directory as a crash, a bad disk or an attacker may have left it. Input: see ``QueueImage``.
enum SegmentTarget {
    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        let image = QueueImage(bytes)
        if image.letterFiles > 0 { try LetterTarget.run(image) }
        try inspect(image)
        guard let context = context(image), let opened = open(context) else { return }
        let end = opened.report.end
        try promise(end.rawValue < UInt64.max / 2, "the lane ends at \(end), with no offset left to give out")
        let found = try readAll(opened, context, image)

        guard let again = open(context) else { throw Finding("what was opened can't be opened again") }
        try promise(again.report.end == end, "opened again the lane ends at \(again.report.end) instead of \(end)")
        if opened.report.verdict == .corrupt {
            try promise(again.report.lost == opened.report.lost, "opened again it has lost \(again.report.lost)")
        } else {
            try promise(again.report.cutBytes == 0 && again.report.lost.isEmpty, "opened again there is more to cut")
        }
        let foundAgain = try readAll(again, context, image)
        try promise(found == foundAgain, "opened again it gives other rows")
        try readKeys(again, context)
        // Nobody lives to see a lane of 2^63 rows; one whose files say so has no offsets left for more.
        if end.rawValue < UInt64.max / 2 - 10 { try append(again, context) }
    }

    // MARK: Opening

    private static func context(_ image: QueueImage) -> LogContext? {
        var faults: [String] = []
        do throws(FileFault) {
            return LogContext(
                fileSystem: image.files,
                options: LogOptions(segmentBytes: 4096, blockBytes: 512, groupBytes: 1024),
                budget: DiskBudget(limit: 1 << 30, reserve: 0),
                layouts: try LayoutCatalogue.open(QueueImage.layouts, on: image.files, faults: &faults),
                keyRing: image.keyRing,
                entropy: Entropy(FuzzRandom(seed: 1))
            )
        } catch {
            preconditionFailure("a file system in memory failed: \(error)")
        }
    }

    /// nil for a lane that says it can't be opened, which is an answer.
    private static func open(_ context: LogContext) -> LaneRecovery.Opened? {
        do throws(LogFault) {
            let opened = try LaneRecovery.open(QueueImage.key, in: QueueImage.lane, context: context)
            context.budget.add(opened.bytes)
            return opened
        } catch {
            return nil
        }
    }

    // MARK: Reading

    private struct Rows: Equatable {
        var chunks: [Range<UInt64>] = []
        var bytes: [UInt8] = []
        var lost: [ClosedRange<Offset>] = []
    }

    /// Reads the lane and holds every row against the blocks whose checksums are right.
    private static func readAll(
        _ opened: LaneRecovery.Opened,
        _ context: LogContext,
        _ image: QueueImage
    ) throws(Finding) -> Rows {
        let cursor = LaneCursor(catalogue: opened.log.catalogue, context: context)
        let result: LaneCursor.Result
        do throws(LogFault) {
            result = try cursor.read(after: .none, rows: .max, bytes: .max)
        } catch {
            return Rows()
        }
        var next: UInt64 = 1
        var lost = result.lost[...]
        var rows = Rows()
        for chunk in result.chunks {
            while let range = lost.first, range.lowerBound < chunk.first {
                try promise(range.lowerBound.rawValue == next, "rows from \(next) on are neither there nor lost")
                next = range.upperBound.rawValue + 1
                lost.removeFirst()
            }
            try promise(chunk.first.rawValue == next, "rows from \(next) on are missing before \(chunk.first)")
            try promise(chunk.count > 0, "a chunk without rows")
            let isGood = image.goodBlocks.contains {
                $0.fingerprint == chunk.fingerprint && $0.first <= chunk.first && chunk.last <= $0.last
                    && $0.base <= chunk.first
            }
            try promise(isGood, "rows \(chunk.first) to \(chunk.last) stand in no block whose checksum is right")
            next = chunk.last.rawValue + 1
            rows.chunks.append(chunk.first.rawValue..<next)
            rows.bytes += chunk.bytes
        }
        for range in lost {
            try promise(range.lowerBound.rawValue == next, "rows from \(next) on are neither there nor lost at the end")
            next = range.upperBound.rawValue + 1
        }
        try promise(
            next == opened.report.end.rawValue + 1,
            "reading ends before \(next), the lane at \(opened.report.end)"
        )
        rows.lost = result.lost
        return rows
    }

    /// What looks at a directory beside a running proxy changes nothing, and takes anything.
    private static func inspect(_ image: QueueImage) throws(Finding) {
        let files = image.files
        do throws(FileFault) {
            let snapshot = try LaneSnapshot.take(QueueImage.key, in: QueueImage.lane, on: files)
            for segment in snapshot.segments {
                guard let header = segment.header else { continue }
                let file = try files.open("\(QueueImage.lane)/\(segment.name)", .read)
                let ring = image.keyRing
                _ = try? SegmentAudit.run(file, header: header, last: segment.last, limit: segment.bytes, keyRing: ring)
                // As the audit of a segment does whose end nobody knows.
                let end = Offset(UInt64.max / 2 - 1)
                _ = try? SegmentAudit.run(file, header: header, last: end, limit: segment.bytes, keyRing: ring)
            }
            let cursor = snapshot.cursor(on: files, keyRing: image.keyRing)
            _ = try? cursor.read(after: .none, rows: .max, bytes: .max)
            _ = try? cursor.header(of: snapshot.end)
        } catch {
            throw Finding("a look at a directory fails: \(error)")
        }
    }

    // MARK: Going on

    private static func readKeys(_ opened: LaneRecovery.Opened, _ context: LogContext) throws(Finding) {
        let history = KeyHistory(context: context, catalogue: opened.log.catalogue)
        do throws(LogFault) {
            let entries = try history.load(notBefore: 0, limit: 1000)
            for entry in entries {
                try promiseLog(entry.last.rawValue < UInt64.max, "a key stands for rows up to \(entry.last)")
            }
            _ = try history.writeSidecars()
            _ = try history.load(notBefore: 0, limit: 1000)
            try history.removeOrphans(olderThan: .max)
        } catch {
            throw Finding("the keys can't be read: \(error)")
        }
    }

    private static func promiseLog(_ isKept: Bool, _ broken: String) throws(LogFault) {
        guard isKept else { throw .unreadable(path: QueueImage.lane, reason: broken) }
    }

    /// A lane that was opened takes rows, and gives them back after another opening.
    private static func append(_ opened: LaneRecovery.Opened, _ context: LogContext) throws(Finding) {
        let layouts = OneLayout()
        let batch = RowBatch(layouts: layouts)
        for row in 0..<3 {
            batch.beginRow(fieldCount: 1)
            batch.append(int4: Int32(row))
            batch.endRow(layouts.layout.fingerprint)
        }
        let request = AppendRequest(batch: batch, keyed: nil, sink: layouts, token: 0)
        let result = opened.log.append([request], from: 0, at: WallTime(microseconds: 1_700_000_000_000_000))
        try promise(result.ending == .durable && result.refused.isEmpty, "an opened lane takes no rows: \(result)")
        try promise(result.first == opened.report.end.advanced(by: 1), "new rows begin at \(result.first)")
        _ = opened.log.close(at: WallTime(microseconds: 1_700_000_001_000_000))
        guard let last = open(context) else { throw Finding("a lane that was written to can't be opened") }
        try promise(last.report.end == result.first.advanced(by: 2), "written rows are gone: \(last.report)")
        let cursor = LaneCursor(catalogue: last.log.catalogue, context: context)
        do throws(LogFault) {
            let read = try cursor.read(after: opened.report.end, rows: .max, bytes: .max)
            try promiseLog(read.lost.isEmpty && read.chunks.count == 1, "lost \(read.lost)")
            try promiseLog(read.chunks[0].bytes.elementsEqual(batch.bytes), "other bytes")
        } catch {
            throw Finding("written rows can't be read: \(error)")
        }
    }
}

/// The layout of the rows that are appended; waits for nothing.
private final class OneLayout: LayoutSource, AppendSink {
    let layout = RowLayout(
        stream: "s",
        table: TableName(schema: "public", name: "t"),
        columns: [RowLayout.Field(name: "c", type: .int4)]
    )

    func layout(of fingerprint: Fingerprint) -> RowLayout? { layout }

    func appendsDidFinish(_ results: [(token: UInt64, outcome: AppendOutcome)]) {}
}
