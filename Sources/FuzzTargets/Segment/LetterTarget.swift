import Records
import SegmentedLog

/// The dead-letter files of a queue directory.
enum LetterTarget {
    static func run(_ image: QueueImage) throws(Finding) {
        try list(image)
        guard let log = open(image) else { return }
        let first = log.summary
        guard let again = open(image) else { throw Finding("a store that was opened can't be opened again") }
        try promise(again.summary == first, "opened again the store holds \(again.summary) instead of \(first)")
        try promise(Set(again.opening.torn).isSubset(of: log.opening.torn), "there is more to cut off")
        try record(again, image)
        try settle(again, image)
    }

    private static func open(_ image: QueueImage) -> DeadLetterLog? {
        try? DeadLetterLog.open(QueueImage.letters, files: image.files, salt: { 99 })
    }

    /// Reads every letter with its rows. Damage is told, and nothing else goes wrong.
    private static func list(_ image: QueueImage) throws(Finding) {
        let reader = DeadLetterReader(directory: QueueImage.letters, files: image.files)
        var cache = DeadLetterReader.Cache()
        do throws(DeadLetterLogFault) {
            try reader.visit { (record) throws(DeadLetterLogFault) in
                do throws(DeadLetterLogFault) {
                    let rows = try reader.rows(of: record, &cache)
                    guard rows.count == record.rowBytes else { throw .corruptRows(record.id) }
                    _ = record.letter.last
                } catch .corruptRows {
                    // Its frame's rows have another checksum.
                }
                return true
            }
        } catch {
            throw Finding("letters can't be listed: \(error)")
        }
    }

    private static func record(_ log: DeadLetterLog, _ image: QueueImage) throws(Finding) {
        let letter = DeadLetter(
            lane: LaneKey(queue: QueueID(high: 5, low: 5), lane: LaneID(5)),
            first: Offset(10),
            count: 2,
            kind: .parked,
            fingerprint: Fingerprint(1),
            stream: "s",
            reason: DeadLetter.Reason(sqlState: "42P01", message: "no table"),
            time: 1,
            bytes: [0, 0, 0, 0]
        )
        do throws(DeadLetterLogFault) {
            try log.record([letter])
        } catch .overlaps {
            return
        } catch .file(let fault) where fault.code == 75 {
            // There is a file, or a letter, of the last number.
            return
        } catch {
            throw Finding("a letter can't be recorded: \(error)")
        }
        try promise(log.recorded(letter.lane, in: letter.range) == [letter.range], "what was recorded is not known")
        guard let again = open(image) else { throw Finding("a store that was written to can't be opened") }
        try promise(again.recorded(letter.lane, in: letter.range) == [letter.range], "what was recorded is forgotten")
        try promise(again.summary == log.summary, "opened anew the store holds \(again.summary), not \(log.summary)")
    }

    /// Gives every letter a verdict, and makes room.
    private static func settle(_ log: DeadLetterLog, _ image: QueueImage) throws(Finding) {
        do throws(DeadLetterLogFault) {
            var ids: [LetterID] = []
            try DeadLetterReader(directory: QueueImage.letters, files: image.files).visit { (record) in
                ids.append(record.id)
                return true
            }
            _ = try log.judge(ids, .discarded, time: 2)
            _ = try log.compact { _ in .none }
            _ = try log.compact { _ in Offset(1 << 40) }
        } catch {
            throw Finding("letters can't be settled: \(error)")
        }
        try promise(log.summary.pending >= 0, "fewer than no letter is pending")
        guard let again = open(image) else { throw Finding("a store that was compacted can't be opened") }
        try promise(again.summary.pending == log.summary.pending, "compaction changed what is pending")
    }
}
