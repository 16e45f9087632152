import Records

/// Lays out a flush: which rows go into which COPY, and which go aside.
struct FlushPlanner {
    private let lane: LaneKey
    private let order: FlushOrder
    private let time: Int64
    private var plan: FlushPlan
    /// Index in `plan.parts` by layout.
    private var partOfLayout: [Fingerprint: Int] = [:]
    /// Bytes of the rows that go aside in this flush; they count towards its size, for they are in memory too.
    private var asideBytes = 0

    private init(lane: LaneKey, order: FlushOrder, time: Int64) {
        self.lane = lane
        self.order = order
        self.time = time
        plan = FlushPlan(to: order.from)
    }

    /// - Parameters:
    ///   - recorded: positions that are in the dead-letter store, ascending.
    ///   - time: for new letters, in microseconds since 1970.
    static func plan(
        _ order: FlushOrder,
        lane: LaneKey,
        buffer: ChunkBuffer,
        recorded: [ClosedRange<Offset>],
        time: Int64,
        layout: (Fingerprint) throws(SourceFault) -> RowLayout
    ) throws(SourceFault) -> FlushPlan {
        var planner = FlushPlanner(lane: lane, order: order, time: time)
        var lost = buffer.lost[...]
        for chunk in buffer.chunks where chunk.last > order.from {
            while let range = lost.first, range.lowerBound < chunk.first {
                guard planner.pass(unreadable: range, recorded: recorded) else { return planner.plan }
                lost.removeFirst()
            }
            let layout = try layout(chunk.fingerprint)
            guard planner.add(chunk, recorded: recorded, layout: layout) else {
                return planner.plan
            }
        }
        for range in lost {
            guard planner.pass(unreadable: range, recorded: recorded) else { break }
        }
        return planner.plan
    }

    /// Whether the flush may grow further.
    private var isOpen: Bool {
        plan.rows < order.rows && plan.bytes + asideBytes < order.bytes
            && (order.through.map { plan.to < $0 } ?? true)
    }

    /// Takes a range that the queue can't read. Returns whether the flush may go on behind it.
    private mutating func pass(unreadable range: ClosedRange<Offset>, recorded: [ClosedRange<Offset>]) -> Bool {
        guard isOpen else { return false }
        let first = max(range.lowerBound, order.from.advanced(by: 1))
        let last = min(range.upperBound, order.through ?? range.upperBound)
        guard first <= last else { return true }
        for gap in Self.gaps(in: first...last, besides: recorded) {
            plan.letters.append(
                letter(
                    gap,
                    kind: .unreadable,
                    reason: DeadLetter.Reason(sqlState: "", message: "the queue can't read these positions")
                )
            )
        }
        plan.to = last
        return isOpen
    }

    /// Takes rows of a chunk. Returns whether the flush may go on behind it.
    private mutating func add(
        _ chunk: RowChunk,
        recorded: [ClosedRange<Offset>],
        layout: RowLayout
    ) -> Bool {
        var walk = TupleWalk(chunk)
        let first = max(chunk.first, order.from.advanced(by: 1))
        let source = ParkedStreams.Source(stream: layout.stream, fingerprint: chunk.fingerprint)
        for (range, state) in segments(of: first...chunk.last, recorded: recorded, source: source) {
            guard isOpen else { return false }
            var range = range
            if let through = order.through { range = range.lowerBound...min(range.upperBound, through) }
            if case .send = state {
                let room = order.rows - plan.rows
                if range.count > room {
                    // A whole block needs no walk over its rows, so it is left to the next flush if this one is half full.
                    if range == chunk.first...chunk.last, plan.rows * 2 >= order.rows { return false }
                    range = range.lowerBound...range.lowerBound.advanced(by: room - 1)
                }
            }
            let start: Int
            let end: Int
            do throws(MalformedRows) {
                start = try byte(of: range.lowerBound, in: chunk, &walk)
                end = try byte(of: range.upperBound.advanced(by: 1), in: chunk, &walk)
            } catch {
                setAside(chunk, after: plan.to, recorded: recorded, malformed: error)
                return isOpen
            }
            switch state {
            case .recorded:
                asideBytes += end - start
            case .send:
                send(
                    Flush.Slice(chunk: chunk, first: range.lowerBound, rows: range.count, range: start..<end),
                    layout: layout
                )
            case .aside(let kind, let reason):
                asideBytes += end - start
                plan.letters.append(
                    letter(
                        range,
                        kind: kind,
                        reason: reason,
                        fingerprint: chunk.fingerprint,
                        stream: layout.stream,
                        bytes: Array(chunk.bytes[start..<end])
                    )
                )
            }
            plan.to = range.upperBound
        }
        return isOpen
    }

    /// Sets the rest of a chunk aside whose rows can't be told apart: they could be neither sent singly nor named. No block that passed its
    /// checksum should ever come here; if one does, it must not hold its lane for ever.
    private mutating func setAside(
        _ chunk: RowChunk,
        after position: Offset,
        recorded: [ClosedRange<Offset>],
        malformed: MalformedRows
    ) {
        let first = max(chunk.first, position.advanced(by: 1))
        for gap in Self.gaps(in: first...chunk.last, besides: recorded) {
            plan.letters.append(
                letter(
                    gap,
                    kind: .unreadable,
                    reason: DeadLetter.Reason(sqlState: "", message: malformed.message),
                    fingerprint: chunk.fingerprint,
                    bytes: chunk.bytes
                )
            )
        }
        plan.to = chunk.last
    }

    /// The ends of a chunk need no walk, so that whole blocks, the ordinary case, cost nothing.
    private func byte(
        of offset: Offset,
        in chunk: RowChunk,
        _ walk: inout TupleWalk
    ) throws(MalformedRows) -> Int {
        if offset <= chunk.first { return 0 }
        if offset > chunk.last { return chunk.bytes.count }
        return try walk.start(ofRow: chunk.first.distance(to: offset))
    }

    private enum Treatment {
        case recorded
        case send
        case aside(DeadLetter.Kind, DeadLetter.Reason)
    }

    /// Splits a run of rows of one layout by what becomes of them.
    private func segments(
        of range: ClosedRange<Offset>,
        recorded: [ClosedRange<Offset>],
        source: ParkedStreams.Source
    ) -> [(ClosedRange<Offset>, Treatment)] {
        var segments: [(ClosedRange<Offset>, Treatment)] = []
        for part in recorded where part.overlaps(range) {
            segments.append((part.clamped(to: range), .recorded))
        }
        let ordinary: Treatment = order.parked.reason(for: source).map { .aside(.parked, $0) } ?? .send
        for gap in Self.gaps(in: range, besides: recorded) {
            var next = gap.lowerBound
            for (offset, reason) in order.condemned.sorted(by: { $0.key < $1.key }) where gap.contains(offset) {
                if next < offset { segments.append((next...Offset(offset.rawValue - 1), ordinary)) }
                segments.append((offset...offset, .aside(.poison, reason)))
                next = offset.advanced(by: 1)
            }
            if next <= gap.upperBound { segments.append((next...gap.upperBound, ordinary)) }
        }
        return segments.sorted { $0.0.lowerBound < $1.0.lowerBound }
    }

    private mutating func send(_ slice: Flush.Slice, layout: RowLayout) {
        let fingerprint = slice.chunk.fingerprint
        if let part = partOfLayout[fingerprint] {
            plan.parts[part].slices.append(slice)
        } else {
            partOfLayout[fingerprint] = plan.parts.count
            plan.parts.append(Flush.Part(layout: layout, slices: [slice]))
        }
        plan.rows += slice.rows
        plan.bytes += slice.range.count
        plan.sent = (plan.sent?.lowerBound ?? slice.first)...slice.first.advanced(by: slice.rows - 1)
    }

    private func letter(
        _ range: ClosedRange<Offset>,
        kind: DeadLetter.Kind,
        reason: DeadLetter.Reason,
        fingerprint: Fingerprint = Fingerprint(0),
        stream: String = "",
        bytes: [UInt8] = []
    ) -> DeadLetter {
        DeadLetter(
            lane: lane,
            first: range.lowerBound,
            count: range.count,
            kind: kind,
            fingerprint: fingerprint,
            stream: stream,
            reason: reason,
            time: time,
            bytes: bytes
        )
    }

    /// What of `range` lies in none of `taken`, which are ascending.
    static func gaps(
        in range: ClosedRange<Offset>,
        besides taken: [ClosedRange<Offset>]
    ) -> [ClosedRange<Offset>] {
        var gaps: [ClosedRange<Offset>] = []
        var next = range.lowerBound
        for part in taken where part.overlaps(range) {
            if next < part.lowerBound { gaps.append(next...Offset(part.lowerBound.rawValue - 1)) }
            next = max(next, part.upperBound.advanced(by: 1))
        }
        if next <= range.upperBound { gaps.append(next...range.upperBound) }
        return gaps
    }
}

extension ClosedRange where Bound == Offset {
    /// Offsets are dense, so a range of them has a length.
    var count: Int { lowerBound.distance(to: upperBound) + 1 }
}
