import Records

extension DeadLetterLog {
    /// Records the letters of another store that are not recorded here, each with its verdict if it has one; on disk when it returns. Can be done again.
    ///
    /// Rows that fail their checksum can't be brought over: their positions are, as unreadable ones. Nothing is refused for lack of room: these letters are
    /// not new. See <doc:Adoption>.
    ///
    /// - Returns: how many were recorded.
    @discardableResult
    package func adopt(from source: DeadLetterLog) throws(DeadLetterLogFault) -> Int {
        let other = source.directory
        let (numbers, verdicts) = try ioResult { () throws(FileFault) in (try other.numbers(), try other.verdicts()) }
        var count = 0
        for number in numbers {
            let scan = try ioResult { () throws(FileFault) in try other.scan(number, among: numbers) }
            var frames: [LetterFileScan.Frame] = []
            _ = try ioResult { () throws(FileFault) in
                try scan.read { frame in
                    frames.append(frame)
                    return true
                }
            }
            for frame in frames {
                let rows = try ioResult { () throws(FileFault) in try scan.rows(of: frame) }
                count += try adopt(frame.entries, rows: rows, verdicts)
            }
        }
        return count
    }

    private func adopt(
        _ entries: [LetterEntry],
        rows: [UInt8]?,
        _ verdicts: LetterVerdicts
    ) throws(DeadLetterLogFault) -> Int {
        try locked { (state) throws(DeadLetterLogFault) in
            let before = state.index.nextID
            var batch = LetterBatch(nextID: before)
            var position = 0
            for entry in entries {
                switch entry {
                case .letter(let id, var letter, let rowBytes):
                    letter.bytes = rows.map { Array($0[position..<(position + rowBytes)]) } ?? []
                    if rows == nil, rowBytes > 0 { letter.kind = .unreadable }
                    position += rowBytes
                    guard try isNew(letter.lane, letter.range, state) else { continue }
                    if let verdict = verdicts.verdict(of: id) {
                        try put(&batch, &state) { $0.add(letter.lane, letter.range, verdict) }
                    } else {
                        try put(&batch, &state) { $0.add(letter) }
                    }
                case .mark(_, let lane, let range, let verdict):
                    guard try isNew(lane, range, state) else { continue }
                    try put(&batch, &state) { $0.add(lane, range, verdict) }
                case .verdict: break
                }
            }
            try append(batch, to: &state, isBounded: false)
            state.mayHaveCutRetries = true
            return Int(state.index.nextID - before)
        }
    }

    private func isNew(
        _ lane: LaneKey,
        _ range: ClosedRange<Offset>,
        _ state: State
    ) throws(DeadLetterLogFault) -> Bool {
        let known = state.index.recorded(lane, in: range)
        if known == [range] { return false }
        guard known.isEmpty else { throw .overlaps("\(lane.position(range.lowerBound))") }
        return true
    }

    private func put(
        _ batch: inout LetterBatch,
        _ state: inout State,
        _ add: (inout LetterBatch) -> Bool
    ) throws(DeadLetterLogFault) {
        guard !add(&batch) else { return }
        try append(batch, to: &state, isBounded: false)
        batch = LetterBatch(nextID: state.index.nextID)
        _ = add(&batch)
    }
}
