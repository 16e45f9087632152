import Records

/// What a dead-letter store keeps in memory: positions and counts, neither rows nor reasons.
struct LetterIndex {
    /// One file, as far as compaction depends on it.
    struct FileSummary: Equatable {
        var number: UInt64
        /// Bytes that count.
        var end: Int
        /// The ids of its letters and marks; nil if it has none. Ids only grow, so those of two files do not overlap.
        var ids: ClosedRange<LetterID>?
        /// Letters that stand here with their rows, and how many of them have a verdict.
        var letters = 0
        var settled = 0
        var marks = 0
        /// Something in it can't be read: never written anew, never removed.
        var isCorrupt = false
        /// The last position of each lane that its letters and marks name.
        var lasts: [LaneKey: Offset] = [:]

        init(number: UInt64, end: Int) {
            self.number = number
            self.end = end
        }

        mutating func count(_ entry: LetterEntry) {
            switch entry {
            case .letter(let id, let letter, _):
                letters += 1
                note(id, letter.lane, letter.last)
            case .mark(let id, let lane, let range, _):
                marks += 1
                note(id, lane, range.upperBound)
            case .verdict: break
            }
        }

        private mutating func note(_ id: LetterID, _ lane: LaneKey, _ last: Offset) {
            ids = min(ids?.lowerBound ?? id, id)...max(ids?.upperBound ?? id, id)
            lasts[lane] = max(lasts[lane] ?? last, last)
        }
    }

    private(set) var files: [FileSummary] = []
    private(set) var pending = RangeSet<LetterID>()
    private(set) var pendingCount = 0
    /// Events of pending letters, by their kind.
    private(set) var pendingEvents: [DeadLetter.Kind: Int] = [:]
    /// Of the pending letters that are not of one poison row; a parked one holds a block's rows, so there are few.
    private var others: [LetterID: Size] = [:]
    private(set) var nextID: LetterID = 1
    private var recorded: [LaneKey: RangeSet<UInt64>] = [:]

    private struct Size {
        var kind: DeadLetter.Kind
        var events: Int

        static let ordinary = Size(kind: .poison, events: 1)
    }

    /// How many ranges of positions are remembered, over all lanes.
    var rangeCount: Int { recorded.values.reduce(0) { $0 + $1.ranges.count } }
    /// Bytes of all files.
    var byteCount: Int { files.reduce(0) { $0 + $1.end } }

    mutating func begin(file: FileSummary) {
        files.append(file)
    }

    mutating func update(file number: UInt64, _ change: (inout FileSummary) -> Void) {
        guard let index = files.firstIndex(where: { $0.number == number }) else { return }
        change(&files[index])
    }

    /// Replaces what is known of a file that was written anew, or forgets it.
    mutating func replace(file number: UInt64, with summary: FileSummary?) {
        guard let index = files.firstIndex(where: { $0.number == number }) else { return }
        if let summary {
            files[index] = summary
        } else {
            files.remove(at: index)
        }
    }

    /// Ids below were used by letters that are gone.
    mutating func skipIDs(before first: LetterID) {
        nextID = max(nextID, first)
    }

    mutating func add(_ entry: LetterEntry, inFile number: UInt64) {
        update(file: number) { $0.count(entry) }
        switch entry {
        case .letter(let id, let letter, _):
            remember(letter.range, of: letter.lane)
            pending.insert(contentsOf: id..<(id + 1))
            pendingCount += 1
            count(letter.count, of: letter.kind)
            if letter.kind != .poison || letter.count != 1 {
                others[id] = Size(kind: letter.kind, events: letter.count)
            }
            nextID = max(nextID, id + 1)
        case .mark(let id, let lane, let range, _):
            remember(range, of: lane)
            nextID = max(nextID, id + 1)
        case .verdict(_, let ids, _):
            for id in ids where pending.contains(id) {
                pending.remove(contentsOf: id..<(id + 1))
                pendingCount -= 1
                let size = others.removeValue(forKey: id) ?? .ordinary
                count(-size.events, of: size.kind)
                if let index = files.firstIndex(where: { $0.ids?.contains(id) ?? false }) {
                    files[index].settled += 1
                }
            }
        }
    }

    /// Stays at the largest number instead of running over: letters that were not written here may name any range.
    private mutating func count(_ events: Int, of kind: DeadLetter.Kind) {
        let (sum, overflow) = pendingEvents[kind, default: 0].addingReportingOverflow(events)
        pendingEvents[kind] = overflow ? .max : max(0, sum)
    }

    private mutating func remember(_ range: ClosedRange<Offset>, of lane: LaneKey) {
        recorded[lane, default: RangeSet()].insert(
            contentsOf: range.lowerBound.rawValue..<(range.upperBound.rawValue + 1)
        )
    }

    /// The recorded positions within `range`, ascending; adjacent ones come as one range.
    func recorded(_ lane: LaneKey, in range: ClosedRange<Offset>) -> [ClosedRange<Offset>] {
        guard let ranges = recorded[lane]?.ranges else { return [] }
        var low = 0
        var high = ranges.count
        // The first range that ends behind the beginning of the one asked for.
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound <= range.lowerBound.rawValue {
                low = middle + 1
            } else {
                high = middle
            }
        }
        var found: [ClosedRange<Offset>] = []
        while low < ranges.count, ranges[low].lowerBound <= range.upperBound.rawValue {
            let whole = Offset(ranges[low].lowerBound)...Offset(ranges[low].upperBound - 1)
            found.append(whole.clamped(to: range))
            low += 1
        }
        return found
    }

    /// Forgets positions that the queue has trimmed: they can't be sent again.
    mutating func forget(_ lane: LaneKey, through trimmed: Offset) {
        recorded[lane]?.remove(contentsOf: 0..<(trimmed.rawValue + 1))
        if recorded[lane]?.isEmpty ?? false { recorded[lane] = nil }
    }

    var lanes: [LaneKey] { Array(recorded.keys) }
}
