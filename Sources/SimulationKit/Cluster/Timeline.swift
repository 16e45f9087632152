/// A branch of a cluster's history: the records of its parent up to the fork, then its own. A *place* is how many records lie behind it.
final class Timeline {
    let number: Int
    private let parent: Timeline?
    /// The place of the fork.
    private let base: Int
    private var records: [WALRecord] = []
    /// When each of its own records was written, and the LSN behind it.
    private var marks: [(at: Duration, lsn: UInt64)] = []

    init(number: Int, parent: Timeline? = nil, from base: Int = 0) {
        self.number = number
        self.parent = parent
        self.base = base
    }

    /// The place of its end.
    var end: Int { base + records.count }

    func append(_ record: WALRecord, at now: Duration) {
        let start = lsn(at: end)
        // Other tables, and whole pages after a checkpoint.
        let noise = SplitMix.mix(start ^ UInt64(number)) % 4_000
        marks.append((now, start + record.byteCount + noise))
        records.append(record)
    }

    /// The record that leads from `place` to the next.
    func record(after place: Int) -> WALRecord {
        guard place < base, let parent else { return records[place - base] }
        return parent.record(after: place)
    }

    /// When the record before `place` was written.
    func time(at place: Int) -> Duration {
        if place <= base { return parent?.time(at: place) ?? .zero }
        return marks[place - base - 1].at
    }

    /// A number that is used again on each branch.
    func lsn(at place: Int) -> UInt64 {
        if place <= base { return parent?.lsn(at: place) ?? 0x100_0000 }
        return marks[place - base - 1].lsn
    }

    /// How many records two paths have in common.
    func common(with other: Timeline) -> Int {
        for (mine, myEnd) in path {
            for (theirs, theirEnd) in other.path where mine === theirs { return min(myEnd, theirEnd) }
        }
        return 0
    }

    /// The branch, its parent and so on, with the place up to which each belongs to the path.
    private var path: [(Timeline, Int)] {
        var path: [(Timeline, Int)] = [(self, .max)]
        var end = Int.max
        var branch = self
        while let parent = branch.parent {
            end = min(end, branch.base)
            path.append((parent, end))
            branch = parent
        }
        return path
    }
}
