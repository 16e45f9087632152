package import Records

/// What is known of the request that a key stands for.
package enum KeyFate: Hashable, Sendable {
    /// Nothing: it never came, was not stored, or is forgotten.
    case unknown
    /// It has no outcome yet, or one that a crash may undo.
    case underWay
    /// It is on disk.
    case stored
}

/// The idempotency keys of the last hours: which request each stood for, and what became of it.
///
/// Flat memory: a ring of entries in the order of their coming, and a table with open addressing that finds a key's place in the ring.
/// It grows with use and is bounded by `maxEntries`; the oldest is forgotten first, and counted if that was before its time.
/// Owner: whoever holds the lock around it.
package struct IdempotencyWindow: Sendable {
    /// What is known of a key.
    package enum Verdict: Hashable, Sendable {
        /// Nothing; it is in flight from now on, until `finish` or `release`.
        case new
        /// The same request is under way.
        case inFlight
        /// The same request is on disk.
        case done(last: Position, count: Int)
        /// The key came with another body.
        case reused
    }

    private enum Stage: UInt8 {
        /// Released; its place in the ring is void.
        case void
        case inFlight
        case done
    }

    private struct Entry {
        var key: IdempotencyKey
        var digest: UInt64
        var last: Offset
        var count: UInt32
        var seconds: UInt32
        var lane: UInt16
        var stage: Stage
    }

    private let maxEntries: Int
    private let windowSeconds: UInt32
    private var ring: [Entry] = []
    /// Places in use: `used` of them from `head` on, around the end.
    private var head = 0
    private var used = 0
    /// Place in the ring plus one; 0 is free. Its size is a power of two, at least twice the ring's.
    private var table: [UInt32] = []
    private var lanes: [LaneKey] = []
    /// Keys known, in flight or done.
    package private(set) var count = 0
    /// Keys that were forgotten before the window had passed, since there were too many.
    package private(set) var forgottenEarly = 0

    package init(maxEntries: Int, window: Duration) {
        self.maxEntries = max(1, min(maxEntries, Int(UInt32.max / 4)))
        windowSeconds = UInt32(clamping: max(0, window.components.seconds))
    }

    /// The window that the lanes' histories hold, as it stood when the process before this one ended. Called when a queue is opened.
    package static func restored(
        from histories: [KeyHistory],
        maxEntries: Int,
        window span: Duration,
        at now: WallTime
    ) throws(LogFault) -> IdempotencyWindow {
        var window = IdempotencyWindow(maxEntries: maxEntries, window: span)
        let oldest = now.seconds > window.windowSeconds ? now.seconds - window.windowSeconds : 0
        var entries: [(lane: LaneKey, entry: KeyEntry)] = []
        for history in histories {
            entries += try history.load(notBefore: oldest, limit: maxEntries).map { (history.catalogue.key, $0) }
        }
        entries.sort { $0.entry.seconds < $1.entry.seconds }
        for (lane, entry) in entries { window.restore(entry, of: lane) }
        return window
    }

    /// Looks a key up, and notes it as in flight if it is new.
    package mutating func begin(_ request: KeyedRequest, at seconds: UInt32) -> Verdict {
        forget(before: seconds)
        if let place = find(request.key) {
            let entry = ring[place]
            guard entry.digest == request.bodyDigest else { return .reused }
            if entry.stage == .inFlight { return .inFlight }
            return .done(last: lanes[Int(entry.lane)].position(entry.last), count: Int(entry.count))
        }
        insert(
            Entry(
                key: request.key,
                digest: request.bodyDigest,
                last: .none,
                count: 0,
                seconds: seconds,
                lane: 0,
                stage: .inFlight
            )
        )
        return .new
    }

    /// What became of the request of a key; notes nothing.
    package func fate(of key: IdempotencyKey) -> KeyFate {
        guard let place = find(key) else { return .unknown }
        return ring[place].stage == .inFlight ? .underWay : .stored
    }

    /// The request of a key in flight is on disk.
    package mutating func finish(_ key: IdempotencyKey, last: Position, count: Int, at seconds: UInt32) {
        guard let place = find(key), ring[place].stage == .inFlight else { return }
        ring[place].last = last.offset
        ring[place].count = UInt32(clamping: count)
        ring[place].lane = number(of: LaneKey(queue: last.queue, lane: last.lane))
        ring[place].seconds = seconds
        ring[place].stage = .done
    }

    /// The request of a key in flight was not stored: the key may be used again.
    package mutating func release(_ key: IdempotencyKey) {
        guard let place = find(key), ring[place].stage == .inFlight else { return }
        remove(key)
        ring[place].stage = .void
        count -= 1
    }

    /// Notes a key that was found on disk. To be called in the order of time, before anything else.
    package mutating func restore(_ entry: KeyEntry, of lane: LaneKey) {
        if find(entry.request.key) != nil { return }
        insert(
            Entry(
                key: entry.request.key,
                digest: entry.request.bodyDigest,
                last: entry.last,
                count: UInt32(clamping: entry.count),
                seconds: entry.seconds,
                lane: number(of: lane),
                stage: .done
            )
        )
    }

    /// Forgets what is older than the window.
    package mutating func forget(before now: UInt32) {
        while used > 0 {
            let entry = ring[head]
            switch entry.stage {
            case .void: break
            case .inFlight: return
            case .done:
                guard now > entry.seconds, now - entry.seconds > windowSeconds else { return }
                remove(entry.key)
                count -= 1
            }
            dropHead()
        }
    }

    private mutating func dropHead() {
        head = (head + 1) % ring.count
        used -= 1
    }

    private mutating func number(of lane: LaneKey) -> UInt16 {
        if let index = lanes.firstIndex(of: lane) { return UInt16(index) }
        lanes.append(lane)
        return UInt16(lanes.count - 1)
    }

    private mutating func insert(_ entry: Entry) {
        makeRoom(like: entry)
        let place = (head + used) % ring.count
        ring[place] = entry
        used += 1
        count += 1
        var slot = slot(of: entry.key)
        while table[slot] != 0 { slot = (slot + 1) & (table.count - 1) }
        table[slot] = UInt32(place + 1)
    }

    /// Makes a place free in the ring: by forgetting the oldest, if there are as many keys as there may be, and by putting the ring in order.
    private mutating func makeRoom(like filler: Entry) {
        // What is in flight is never forgotten; it is bounded by what may wait in memory.
        while count >= maxEntries, used > 0, ring[head].stage != .inFlight {
            if ring[head].stage == .done {
                remove(ring[head].key)
                count -= 1
                forgottenEarly += 1
            }
            dropHead()
        }
        // Places that a release has left in the middle are worth the walk where they are at least half of all.
        if used == ring.count { arrange(places: count > used / 2 ? used * 2 : used, like: filler) }
    }

    /// Leaves out places that are void, and makes the ring as large as that, or as 1024.
    private mutating func arrange(places: Int, like filler: Entry) {
        let places = max(1024, places)
        var larger: [Entry] = []
        larger.reserveCapacity(places)
        for index in 0..<used {
            let entry = ring[(head + index) % ring.count]
            if entry.stage != .void { larger.append(entry) }
        }
        used = larger.count
        head = 0
        while larger.count < places { larger.append(filler) }
        ring = larger
        var size = 2048
        while size < ring.count * 2 { size *= 2 }
        table = [UInt32](repeating: 0, count: size)
        for place in 0..<used {
            var slot = slot(of: ring[place].key)
            while table[slot] != 0 { slot = (slot + 1) & (size - 1) }
            table[slot] = UInt32(place + 1)
        }
    }

    /// Keys are parts of SHA-256 digests, so any bits of them are a good hash.
    private func slot(of key: IdempotencyKey) -> Int {
        Int(truncatingIfNeeded: key.low) & (table.count - 1)
    }

    private func find(_ key: IdempotencyKey) -> Int? {
        guard !table.isEmpty else { return nil }
        var slot = slot(of: key)
        while table[slot] != 0 {
            let place = Int(table[slot]) - 1
            if ring[place].key == key { return place }
            slot = (slot + 1) & (table.count - 1)
        }
        return nil
    }

    /// Takes a key out of the table, moving up those behind it that would not be found across the hole.
    private mutating func remove(_ key: IdempotencyKey) {
        let mask = table.count - 1
        var hole = slot(of: key)
        while table[hole] != 0, ring[Int(table[hole]) - 1].key != key { hole = (hole + 1) & mask }
        guard table[hole] != 0 else { return }
        var probe = hole
        while true {
            probe = (probe + 1) & mask
            guard table[probe] != 0 else { break }
            let home = slot(of: ring[Int(table[probe]) - 1].key)
            if (probe - home) & mask >= (probe - hole) & mask {
                table[hole] = table[probe]
                hole = probe
            }
        }
        table[hole] = 0
    }
}
