package import Records
import Synchronization

extension DeadLetterLog {
    /// What a compaction did.
    package struct Compaction: Hashable, Sendable {
        package var rewritten = 0
        package var removed = 0
        package var bytesFreed = 0
    }

    /// Gives back the space of letters that have a verdict, and forgets positions that the queue has trimmed.
    ///
    /// Blocks recording for as long as one file is written anew. Does nothing while letters are being retried.
    ///
    /// - Parameter trimmed: the last offset of the lane that the queue can't read any more, and that no crash brings back.
    package func compact(trimmed: (LaneKey) -> Offset) throws(DeadLetterLogFault) -> Compaction {
        let done: Result<Compaction, DeadLetterLogFault>? = reading.withLockIfAvailable { _ in
            do throws(DeadLetterLogFault) {
                return .success(try compactFiles(trimmed))
            } catch {
                return .failure(error)
            }
        }
        return try done?.get() ?? Compaction()
    }

    private func compactFiles(_ trimmed: (LaneKey) -> Offset) throws(DeadLetterLogFault) -> Compaction {
        // Verdicts that come after this are seen by the compaction after this.
        let verdicts = try ioResult { () throws(FileFault) in try directory.verdicts() }
        let numbers = state.withLock { state in
            for lane in state.index.lanes { state.index.forget(lane, through: trimmed(lane)) }
            return state.index.files.map(\.number)
        }
        var compaction = Compaction()
        for number in numbers {
            let (before, after) = try locked { (state) throws(DeadLetterLogFault) in
                guard let summary = state.index.files.first(where: { $0.number == number }),
                    // What stands in the highest file and does not count is excluded by the next one only.
                    number + 1 != state.nextFile, isWorthwhile(summary, trimmed)
                else { return (0, 0) }
                try ioResult { () throws(FileFault) in try rewrite(summary, verdicts, trimmed, &state) }
                return (summary.end, state.index.files.first { $0.number == number }?.end ?? 0)
            }
            compaction.bytesFreed += before - after
            if before > 0, after == 0 { compaction.removed += 1 }
            if after > 0, after < before { compaction.rewritten += 1 }
        }
        return compaction
    }

    private func isWorthwhile(_ summary: LetterIndex.FileSummary, _ trimmed: (LaneKey) -> Offset) -> Bool {
        if summary.isCorrupt { return false }
        if summary.settled > 0, summary.settled * 2 >= summary.letters { return true }
        // Marks and verdicts only: they can go once all its positions are trimmed.
        return summary.letters == 0 && summary.lasts.allSatisfy { $0.value <= trimmed($0.key) }
    }

    private func rewrite(
        _ summary: LetterIndex.FileSummary,
        _ verdicts: LetterVerdicts,
        _ trimmed: (LaneKey) -> Offset,
        _ state: inout State
    ) throws(FileFault) {
        let number = summary.number
        let scan = try directory.scan(number, among: state.index.files.map(\.number))
        guard var header = scan.header else { return }
        header.salt = newSalt()
        var rewriting = LetterRewriting(
            header: header,
            pending: state.index.pending,
            // Where a letter is a mark by now, the mark says what became of it.
            keptVerdicts: state.index.files.filter { $0.number < number && $0.letters > 0 }.compactMap(\.ids)
        )
        var isComplete = true
        let ending = try scan.read { (frame) throws(FileFault) in
            guard let rows = try scan.rows(of: frame) else {
                isComplete = false
                return false
            }
            rewriting.take(frame, rows: rows, verdicts, trimmed)
            return true
        }
        rewriting.finish()
        // A file that can't be read whole is left alone, for ever.
        guard isComplete, ending.corrupt.isEmpty, ending.tail.isEmpty else {
            return state.index.update(file: number) { $0.isCorrupt = true }
        }
        if rewriting.frames.isEmpty, try !directory.namesAnEnd(header) {
            try directory.remove(number)
            state.index.replace(file: number, with: nil)
            try directory.sync()
        } else if rewriting.summary.end < summary.end {
            _ = try directory.create(header, frames: rewriting.frames)
            state.index.replace(file: number, with: rewriting.summary)
        }
    }
}

/// What of a file stays when it is written anew.
private struct LetterRewriting {
    private let header: LetterFileHeader
    /// A verdict that was read from a frame which turned out not to count says nothing.
    private let pending: RangeSet<LetterID>
    private let keptVerdicts: [ClosedRange<LetterID>]
    private(set) var frames: [[UInt8]] = []
    private(set) var summary: LetterIndex.FileSummary
    /// Marks and verdicts of frames whose rows are gone: they go into one frame together, at the end.
    private var marks: [LetterEntry] = []

    init(header: LetterFileHeader, pending: RangeSet<LetterID>, keptVerdicts: [ClosedRange<LetterID>]) {
        self.header = header
        self.pending = pending
        self.keptVerdicts = keptVerdicts
        summary = LetterIndex.FileSummary(number: header.number, end: LetterFileHeader.size)
    }

    mutating func take(
        _ frame: LetterFileScan.Frame,
        rows: [UInt8],
        _ verdicts: LetterVerdicts,
        _ trimmed: (LaneKey) -> Offset
    ) {
        var entries: [LetterEntry] = []
        var keptRows: [UInt8] = []
        var rowStart = 0
        for entry in frame.entries {
            switch entry {
            case .letter(let id, let letter, let rowBytes):
                let range = rowStart..<(rowStart + rowBytes)
                rowStart += rowBytes
                if !pending.contains(id), let verdict = verdicts.verdict(of: id) {
                    guard letter.last > trimmed(letter.lane) else { continue }
                    entries.append(.mark(id, letter.lane, letter.range, verdict))
                } else {
                    entries.append(entry)
                    keptRows += rows[range]
                }
            case .mark(_, let lane, let range, _):
                guard range.upperBound > trimmed(lane) else { continue }
                entries.append(entry)
            case .verdict(let verdict, let ids, let time):
                let needed = ids.filter { id in keptVerdicts.contains { $0.contains(id) } }
                guard !needed.isEmpty else { continue }
                entries.append(.verdict(verdict, needed, time: time))
            }
        }
        if keptRows.isEmpty, entries.allSatisfy(\.hasNoLetter) {
            marks += entries
        } else {
            append(entries, rows: keptRows)
        }
    }

    /// Writes what was gathered. To be called once, after the last frame was taken.
    mutating func finish() {
        append(marks, rows: [])
        marks = []
    }

    private mutating func append(_ entries: [LetterEntry], rows keptRows: [UInt8]) {
        guard !entries.isEmpty else { return }
        for entry in entries { summary.count(entry) }
        frames.append(LetterFrame.encode(entries, rows: keptRows, salt: header.salt, file: header.number))
        summary.end += frames[frames.count - 1].count
    }
}

extension LetterEntry {
    fileprivate var hasNoLetter: Bool {
        switch self {
        case .letter: false
        case .mark, .verdict: true
        }
    }
}
