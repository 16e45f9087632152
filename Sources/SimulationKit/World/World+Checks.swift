import Delivery
import Records
import SegmentedLog

/// What must hold.
extension World {
    // MARK: At each commit

    /// Everything that the ledger has passed is in the database exactly once or in a letter on disk, and not in both; nothing behind it is in
    /// the database.
    func audit(_ flush: Flush, on server: SimulatedPostgres) {
        guard flush.lane != Self.neighbour else { return }
        tally.add(.flushes)
        history.note(
            .postgres,
            "committed lane \(flush.lane.lane) from \(flush.from) to \(flush.to) in epoch \(flush.epoch)"
        )
        let table = server.state[flush.lane]
        for offset in flush.from.rawValue + 1..<flush.to.rawValue + 1 {
            if table.copies(of: Offset(offset)) == 0, !account.isDead(flush.lane, Offset(offset)) {
                return fail("the ledger has passed \(flush.lane.position(Offset(offset))), which is nowhere")
            }
        }
        for part in flush.parts {
            for slice in part.slices {
                for row in 0..<slice.rows {
                    let offset = slice.first.advanced(by: row)
                    audit(offset, of: flush, table)
                }
            }
        }
    }

    private func audit(_ offset: Offset, of flush: Flush, _ table: SimulatedPostgres.Table) {
        let position = flush.lane.position(offset)
        guard let event = table.event(at: offset) else { return fail("\(position) was sent and is not there") }
        let copies = table.copies(of: offset)
        if copies > 1 { return fail("\(position), event \(event), is in the database \(copies) times") }
        if offset > flush.to { return fail("\(position), event \(event), is there, the ledger at \(flush.to)") }
        if account.isDead(flush.lane, offset) { return fail("\(position), event \(event), is there and dead-lettered") }
        if let before = account.places.updateValue(position, forKey: event), before != position,
            !account.isDead(LaneKey(queue: before.queue, lane: before.lane), before.offset)
        {
            fail("event \(event) is there twice: from \(before) and from \(position)")
        }
    }

    /// Letters are on disk.
    func audit(_ letters: [DeadLetter]) {
        for letter in letters {
            history.note(.disk, "a letter for \(letter.position), \(letter.count) rows, \(letter.kind)")
            if letter.kind == .unreadable {
                giveUp(letter)
            } else {
                checkAbsence(of: letter.range, letter.lane)
            }
            account.bury(letter.lane, letter.range)
        }
    }

    /// What has a letter is not in the database.
    private func checkAbsence(of range: ClosedRange<Offset>, _ lane: LaneKey) {
        for offset in range.lowerBound.rawValue...range.upperBound.rawValue
        where !account.isLost(lane, Offset(offset))
            && servers.contains(where: { $0.state[lane].copies(of: Offset(offset)) > 0 })
        {
            return fail("\(lane.position(Offset(offset))) was dead-lettered and is in the database")
        }
    }

    /// Positions were reported as lost.
    private func giveUp(_ letter: DeadLetter) {
        let isExcused = proxy.map { isAstray(letter.lane, $0) } ?? false
        if letter.range.upperBound > account.excused(letter.lane), !isExcused {
            fail("\(letter.position) and \(letter.count - 1) more were given up as unreadable")
        }
        tally.add(.lost, letter.count)
        account.lose(letter.lane, letter.range)
    }

    // MARK: At each step

    /// accepted = committed + dead-lettered + queued, for each lane: what the ledger has passed is accounted for, the rest is on disk.
    func checkConservation() {
        guard let proxy, violation == nil else { return }
        for lane in proxy.lanes {
            let ledger = servers.reduce(.none) { max($0, $1.state[lane.key].ledger.position) }
            let catalogue = lane.catalogue
            if ledger > catalogue.end {
                return fail("the ledger of lane \(lane.key.lane) is at \(ledger), its queue ends at \(catalogue.end)")
            }
            if cluster == nil, catalogue.first.rawValue > ledger.rawValue + 1 {
                return fail("lane \(lane.key.lane) was trimmed up to \(catalogue.first), its ledger is at \(ledger)")
            }
        }
    }

    /// The same, by count.
    func checkCounts() {
        for server in servers { checkCounts(server) }
    }

    private func checkCounts(_ server: SimulatedPostgres) {
        for (lane, table) in server.state.tables where lane != Self.neighbour {
            let position = table.ledger.position
            let committed = table.copies.reduce(0) { $0 + Int($1) }
            // What was reported as lost may be on a node of another history.
            let dead = account.deadCount(lane, upTo: position) - account.lostCount(lane) { table.copies(of: $0) > 0 }
            if committed + dead != Int(position.rawValue) {
                fail("lane \(lane.lane): \(committed) committed and \(dead) dead-lettered, the ledger at \(position)")
            }
        }
    }

    // MARK: After a start

    /// Reads the whole queue: every acknowledged request that is not trimmed is at its place, every other one is there whole or not at all.
    func inspect(_ proxy: SimulatedProxy) {
        disk.isBystanders = true
        defer { disk.isBystanders = false }
        checkCounts()
        var found: [Int: [(row: Int, position: Position)]] = [:]
        for lane in proxy.lanes {
            read(lane, proxy.context, into: &found)
            if violation != nil { return }
        }
        let lanes = Dictionary(uniqueKeysWithValues: proxy.lanes.map { ($0.key, $0.catalogue.first) })
        for request in requests.dropFirst() { inspect(request, found[request.number] ?? [], lanes) }
        for (lane, dead) in account.dead {
            for range in dead.ranges {
                let asked = Offset(range.lowerBound)...Offset(range.upperBound - 1)
                let first = lanes[lane] ?? Offset(.max)
                guard asked.upperBound >= first else { continue }
                let wanted = max(first, asked.lowerBound)...asked.upperBound
                let known = proxy.letters.recorded(lane, in: wanted)
                if known.reduce(0, { $0 + $1.lowerBound.distance(to: $1.upperBound) + 1 })
                    != wanted.lowerBound.distance(to: wanted.upperBound) + 1
                {
                    fail("letters for \(lane.position(wanted.lowerBound)) to \(wanted.upperBound) are gone")
                }
            }
        }
        // Letters that were written when the process before this one was stopped count from now on.
        for lane in proxy.lanes {
            let all = Offset(1)...max(Offset(1), lane.catalogue.end)
            for range in proxy.letters.recorded(lane.key, in: all) {
                // Of what was trimmed before it had a letter the letter says that it is lost.
                for offset in range.lowerBound.rawValue...range.upperBound.rawValue
                where offset < lane.catalogue.first.rawValue && !account.isDead(lane.key, Offset(offset)) {
                    account.lose(lane.key, Offset(offset)...Offset(offset))
                }
                checkAbsence(of: range, lane.key)
                account.bury(lane.key, range)
            }
        }
        letterBook.settle(proxy.letters)
    }

    private func read(
        _ lane: SimulatedLane,
        _ context: LogContext,
        into found: inout [Int: [(row: Int, position: Position)]]
    ) {
        let cursor = LaneCursor(catalogue: lane.catalogue, context: context)
        var next = lane.catalogue.first
        do throws(LogFault) {
            let result = try cursor.read(after: Offset(next.rawValue - 1), rows: .max, bytes: .max)
            guard result.lost.isEmpty else { return fail("lane \(lane.key.lane) has lost \(result.lost)") }
            for chunk in result.chunks {
                guard let events = EventRows.events(in: chunk.bytes[...]), events.count == chunk.count,
                    chunk.first == next
                else { return fail("lane \(lane.key.lane): what stands at \(next) are not its rows") }
                for event in events {
                    guard event.request > 0, event.request < requests.count, event.row < requests[event.request].rows
                    else { return fail("lane \(lane.key.lane): event \(event) at \(next) was never sent") }
                    found[event.request, default: []].append((event.row, lane.key.position(next)))
                    next = next.advanced(by: 1)
                }
            }
        } catch {
            return fail("lane \(lane.key.lane) can't be read: \(error)")
        }
        if next != lane.catalogue.end.advanced(by: 1) {
            fail("lane \(lane.key.lane) can be read up to \(next), its end is \(lane.catalogue.end)")
        }
    }

    private func inspect(
        _ request: Request,
        _ found: [(row: Int, position: Position)],
        _ lanes: [LaneKey: Offset]
    ) {
        let rows = found.filter { !account.retried.contains(EventID(request: request.number, row: $0.row)) }
        let isRetried = rows.count < found.count
        var first: Position?
        for (row, position) in rows {
            let start = position.offset.rawValue &- UInt64(row)
            let place = Position(queue: position.queue, lane: position.lane, offset: Offset(start))
            if let first, first != place {
                return fail("\(request.text) is in the queue twice: from \(first) and from \(place)")
            }
            first = place
        }
        if case .acknowledged(let last) = request.state {
            let key = LaneKey(queue: last.queue, lane: last.lane)
            guard let begin = lanes[key] else { return }
            let due = (last.offset.rawValue + 1 - UInt64(request.rows)...last.offset.rawValue).filter {
                $0 >= begin.rawValue
            }
            if isRetried { return }
            if rows.map(\.position.offset.rawValue) != due || (first != nil && first?.lane != last.lane) {
                fail(
                    "\(request.text) was acknowledged at \(last); of its rows \(due.first ?? 0) to \(due.last ?? 0) "
                        + "the queue has \(rows.map(\.position.offset))"
                )
            }
        } else if let first, !isRetried {
            let key = LaneKey(queue: first.queue, lane: first.lane)
            let begin = lanes[key] ?? .none
            let due = (0..<request.rows).filter { first.offset.rawValue + UInt64($0) >= begin.rawValue }
            if rows.map(\.row) != due { fail("of \(request.text) the queue has the rows \(rows.map(\.row))") }
        }
    }

    // MARK: At the end

    /// Every acknowledged event is in the database exactly once or in the dead letters exactly once; every other request is there whole or not at all,
    /// and not twice.
    func checkEnd(_ proxy: SimulatedProxy) {
        disk.isBystanders = true
        defer { disk.isBystanders = false }
        checkCounts()
        var counts = requests.map { [Int](repeating: 0, count: $0.rows) }
        func count(_ event: EventID) {
            guard event.request < counts.count, event.row < counts[event.request].count else {
                return fail("event \(event) was never sent")
            }
            counts[event.request][event.row] += 1
        }
        for (lane, table) in postgres.state.tables where lane != Self.neighbour {
            for offset in 1..<max(1, table.copies.count) where table.copies[offset] > 0 {
                count(EventID(table.events[offset]))
                if table.copies[offset] > 1 { fail("\(lane.position(Offset(UInt64(offset)))) is there more than once") }
            }
        }
        guard let letters = LetterBook.pending(proxy.letters, disk) else {
            return fail("the dead letters can't be read")
        }
        for letter in letters { letter.events.forEach(count) }
        letterBook.discarded.forEach(count)
        for request in requests.dropFirst() {
            let rows = counts[request.number]
            if let row = rows.firstIndex(where: { $0 > 1 }) {
                fail("row \(row) of \(request.text), sent \(request.attempts) times, is there \(rows[row]) times")
            }
            let present = rows.count { $0 > 0 }
            if isExcused(request, rows, proxy) { continue }
            if request.isAcknowledged, present < request.rows {
                fail("\(request.text) was acknowledged, and \(request.rows - present) of its rows are nowhere")
            }
            if present != 0, present != request.rows {
                fail("of \(request.text) there are \(present) rows")
            }
        }
    }

    /// What is missing of it was reported as lost.
    private func isExcused(_ request: Request, _ rows: [Int], _ proxy: SimulatedProxy) -> Bool {
        guard cluster != nil else { return false }
        return rows.indices.allSatisfy { row in
            if rows[row] > 0 { return true }
            let place: Position
            if case .acknowledged(let last) = request.state {
                let offset = Offset(last.offset.rawValue - UInt64(request.rows - 1 - row))
                place = Position(queue: last.queue, lane: last.lane, offset: offset)
            } else if let known = account.places[EventID(request: request.number, row: row)] {
                place = known
            } else {
                return false
            }
            let lane = LaneKey(queue: place.queue, lane: place.lane)
            if account.isLost(lane, place.offset) { return true }
            // A lane that was drained and removed has nobody to say so.
            guard !proxy.lanes.contains(where: { $0.key == lane }), place.offset <= account.excused(lane) else {
                return false
            }
            tally.add(.unreported)
            return true
        }
    }
}
