package import Records
import Synchronization

/// The dead-letter store on disk. Format and rules: "Dead-letter format".
///
/// One process has it open for writing (the queue's lock sees to that); any thread may call. Calls block for the disk.
package final class DeadLetterLog: Sendable {
    package struct Options: Hashable, Sendable {
        /// A file is followed by the next one when it would grow beyond this.
        package var maximumFileBytes = 64 << 20
        /// Of all files together.
        package var maximumBytes = 4 << 30
        /// Separate ranges of positions that are remembered; 16 bytes each.
        package var maximumRanges = 1 << 20
        /// Texts of a reason are cut to this.
        package var maximumTextBytes = 8 << 10

        package init() {}
    }

    /// What an opening found.
    package struct Opening: Hashable, Sendable {
        package struct Damage: Hashable, Sendable {
            package var path: String
            package var bytes: Range<Int>
            package var reason: String
        }

        package var files = 0
        package var pending = 0
        /// Bytes of a call that was never acknowledged; cut off.
        package var torn: [Damage] = []
        /// Bytes of acknowledged calls that can't be read; left where they are.
        package var corrupt: [Damage] = []
    }

    /// Counts, for metrics.
    package struct Summary: Hashable, Sendable {
        package var files: Int
        package var bytes: Int
        /// Letters without a verdict.
        package var pending: Int
        /// Their events: refused one by one, …
        package var poisonEvents: Int
        /// … set aside with their stream, …
        package var parkedEvents: Int
        /// … and unreadable in the queue.
        package var unreadableEvents: Int
        package var ranges: Int
    }

    struct State {
        var index: LetterIndex
        /// The file that is appended to; nil until the next call begins one.
        var current: Current?
        /// What the next file's header says of the one before it.
        var previousEnd: UInt64
        var nextFile: UInt64
        /// A frame that failed and that no following file excludes yet.
        var doubt: Doubt?
        /// Letters whose rows a retry has put into the queue, the verdict being still to be recorded.
        var unmarked: Set<LetterID> = []
        /// Letters may be pending whose retry a process before this one did not finish.
        var mayHaveCutRetries = false
    }

    /// Until the next file could be begun, the next process may find the frame and believe it.
    struct Doubt {
        var lanes: Set<LaneKey>
        /// Microseconds since 1970.
        var time: Int64
    }

    struct Current {
        var number: UInt64
        var salt: UInt64
        var file: any File
        /// Everything before is on disk.
        var end: Int
    }

    let directory: LetterDirectory
    let options: Options
    private let salt: @Sendable () -> UInt64
    let state: Mutex<State>
    /// Held by whoever reads rows for long, and tried by compaction, which moves them.
    let reading = Mutex(())
    package let opening: Opening

    init(
        directory: LetterDirectory,
        options: Options,
        salt: @escaping @Sendable () -> UInt64,
        state: State,
        opening: Opening
    ) {
        self.directory = directory
        self.options = options
        self.salt = salt
        self.state = Mutex(state)
        self.opening = opening
    }

    package var summary: Summary {
        state.withLock { state in
            Summary(
                files: state.index.files.count,
                bytes: state.index.byteCount,
                pending: state.index.pendingCount,
                poisonEvents: state.index.pendingEvents[.poison] ?? 0,
                parkedEvents: state.index.pendingEvents[.parked] ?? 0,
                unreadableEvents: state.index.pendingEvents[.unreadable] ?? 0,
                ranges: state.index.rangeCount
            )
        }
    }

    /// The recorded positions within `range`, clipped to it, ascending, whatever became of the letters since.
    package func recorded(_ lane: LaneKey, in range: ClosedRange<Offset>) -> [ClosedRange<Offset>] {
        state.withLock { $0.index.recorded(lane, in: range) }
    }

    /// Records letters; on disk when it returns. Those whose positions are recorded already are left out.
    package func record(_ letters: [DeadLetter]) throws(DeadLetterLogFault) {
        try locked { (state) throws(DeadLetterLogFault) in
            var batch = LetterBatch(nextID: state.index.nextID)
            for letter in letters {
                let known = state.index.recorded(letter.lane, in: letter.range)
                if known == [letter.range] { continue }
                guard known.isEmpty else { throw .overlaps("\(letter.position)") }
                guard letter.bytes.count <= LetterFrame.maximumPart / 2 else {
                    throw .tooLarge(bytes: letter.bytes.count, limit: LetterFrame.maximumPart / 2)
                }
                if !batch.add(letter.cut(toTextBytes: options.maximumTextBytes)) {
                    try append(batch, to: &state)
                    batch = LetterBatch(nextID: state.index.nextID)
                    _ = batch.add(letter.cut(toTextBytes: options.maximumTextBytes))
                }
            }
            try append(batch, to: &state)
        }
    }

    /// After this returns, no letter of the lane that a call failed to record can be found by the next process. To be called before any row of the lane
    /// is sent: one that lands, and is found dead-lettered afterwards, would be doubled by a retry.
    package func endDoubts(of lane: LaneKey) throws(DeadLetterLogFault) {
        try locked { (state) throws(DeadLetterLogFault) in
            guard let doubt = state.doubt, doubt.lanes.contains(lane) else { return }
            try ioResult { () throws(FileFault) in try begin(&state, time: doubt.time) }
        }
    }

    /// The same for all lanes, and for verdicts.
    func endDoubts() throws(DeadLetterLogFault) {
        try locked { (state) throws(DeadLetterLogFault) in
            guard let doubt = state.doubt else { return }
            try ioResult { () throws(FileFault) in try begin(&state, time: doubt.time) }
        }
    }

    /// Says what became of letters; on disk when it returns. Returns those that were pending, which alone are changed.
    @discardableResult
    package func judge(
        _ ids: some Sequence<LetterID>,
        _ verdict: LetterVerdict,
        time: Int64
    ) throws(DeadLetterLogFault) -> [LetterID] {
        let asked = Set(ids).sorted()
        return try locked { (state) throws(DeadLetterLogFault) in
            let open = asked.filter { state.index.pending.contains($0) }
            var rest = open[...]
            while !rest.isEmpty {
                // A million ids are 8 MiB: well within what a frame holds.
                let part = Array(rest.prefix(1 << 20))
                var batch = LetterBatch(nextID: state.index.nextID)
                batch.entries = [.verdict(verdict, part, time: time)]
                try append(batch, to: &state, isBounded: false)
                state.unmarked.subtract(part)
                rest = rest.dropFirst(part.count)
            }
            return open
        }
    }

    /// The id of the next letter; those that exist are below.
    package var nextID: LetterID {
        state.withLock { $0.index.nextID }
    }

    package func isPending(_ id: LetterID) -> Bool {
        state.withLock { $0.index.pending.contains(id) }
    }

    /// The rows of the letter are in the queue; a verdict will say so.
    func noteStored(_ id: LetterID) {
        state.withLock { state in _ = state.unmarked.insert(id) }
    }

    func isUnmarked(_ id: LetterID) -> Bool {
        state.withLock { $0.unmarked.contains(id) }
    }

    /// Whether pending letters have to be looked through for those whose rows are in the queue.
    package var mayHaveUnfinishedRetries: Bool {
        state.withLock { $0.mayHaveCutRetries || !$0.unmarked.isEmpty }
    }

    func didFinishCutRetries() {
        state.withLock { $0.mayHaveCutRetries = false }
    }

    /// `withLock` with a typed error: what the body did is kept also if it throws.
    func locked<Value: Sendable>(
        _ body: (inout State) throws(DeadLetterLogFault) -> Value
    ) throws(DeadLetterLogFault) -> Value {
        let result: Result<Value, DeadLetterLogFault> = state.withLock { state in
            do throws(DeadLetterLogFault) {
                return .success(try body(&state))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    // MARK: Appending

    /// - Parameter isBounded: false for what is let through at the bounds: a verdict, which is what makes room, and letters that were recorded elsewhere.
    func append(
        _ batch: LetterBatch,
        to state: inout State,
        isBounded: Bool = true
    ) throws(DeadLetterLogFault) {
        guard !batch.entries.isEmpty else { return }
        if isBounded {
            let bytes = state.index.byteCount
            guard bytes + batch.rows.count + LetterFrame.headerSize <= options.maximumBytes else {
                throw .full(bytes: bytes, limit: options.maximumBytes)
            }
            let ranges = state.index.rangeCount
            guard ranges < options.maximumRanges else { throw .tooManyRanges(ranges) }
            // What a reader would take for damage is not acknowledged.
            guard state.index.nextID < highestID - 1 << 32 else {
                throw .file(
                    FileFault(
                        operation: "write",
                        path: directory.path,
                        code: 75,
                        message: "no number is left for another letter"
                    )
                )
            }
        }
        do throws(FileFault) {
            if let current = state.current, current.end > LetterFileHeader.size,
                current.end + batch.rows.count > options.maximumFileBytes
            {
                state.previousEnd = UInt64(current.end)
                state.current = nil
            }
            if state.current == nil { try begin(&state, time: batch.time) }
            guard let current = state.current else { return }
            try write(batch, to: current, &state)
        } catch {
            throw .file(error)
        }
    }

    private func write(_ batch: LetterBatch, to current: Current, _ state: inout State) throws(FileFault) {
        let bytes = LetterFrame.encode(batch.entries, rows: batch.rows, salt: current.salt, file: current.number)
        do throws(FileFault) {
            try bytes.withBytes { (buffer) throws(FileFault) in try current.file.write(buffer, at: current.end) }
        } catch {
            // What was written of the frame is cut off; if even that fails, the file is left as it is and never written again.
            do throws(FileFault) {
                try current.file.truncate(current.end)
            } catch {
                leave(current, after: batch, &state)
            }
            throw error
        }
        do throws(FileFault) {
            try current.file.sync()
        } catch {
            leave(current, after: batch, &state)
            throw error
        }
        let end = current.end + bytes.count
        state.current?.end = end
        state.index.update(file: current.number) { $0.end = end }
        for entry in batch.entries {
            state.index.add(entry, inFile: current.number)
        }
    }

    /// Nothing more is written to the file: after a failed sync nobody knows what of it is on disk. The next one, which excludes the frame, is begun at
    /// once; if that fails the frame is in doubt.
    private func leave(_ current: Current, after batch: LetterBatch, _ state: inout State) {
        state.previousEnd = UInt64(current.end)
        state.current = nil
        do throws(FileFault) {
            try begin(&state, time: batch.time)
        } catch {
            state.doubt = Doubt(lanes: batch.lanes, time: batch.time)
        }
    }

    private func begin(_ state: inout State, time: Int64) throws(FileFault) {
        let number = state.nextFile
        // What can't be found again is not acknowledged.
        guard LetterDirectory.numbers.contains(number) else {
            throw FileFault(
                operation: "create",
                path: directory.path(of: number),
                code: 75,
                message: "a file of the last number is there, and none may follow"
            )
        }
        let header = LetterFileHeader(
            number: number,
            salt: salt(),
            previousEnd: state.previousEnd,
            created: time,
            firstID: state.index.nextID
        )
        let file = try directory.create(header, frames: [])
        state.current = Current(number: number, salt: header.salt, file: file, end: LetterFileHeader.size)
        state.nextFile = number + 1
        state.doubt = nil
        state.index.begin(file: LetterIndex.FileSummary(number: number, end: LetterFileHeader.size))
    }

    func newSalt() -> UInt64 { salt() }
}
