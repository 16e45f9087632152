import DurableQueue
import Records
import Synchronization

/// Where each identity has written last, for as long as its reads are to show that: `read.read_after_write_ttl`.
///
/// An identity is a name: an agent's token and a user of the read port are the same one if their names are. Where agents need no token nobody can be told from
/// anybody, and every write counts for every reader. Any thread may call it.
final class LastWrites: Sendable {
    private struct Write {
        var offset: Offset
        var at: Duration
    }

    private let ttl: Duration
    private let clock = MonotonicClock()
    private let writes = Mutex<[String: [LaneKey: Write]]>([:])

    /// nil where no time is set.
    init?(_ settings: ForebayConfiguration.Read) {
        guard settings.readAfterWriteTTL > .zero else { return nil }
        ttl = settings.readAfterWriteTTL
    }

    /// - Parameter name: empty for whoever sends where no token is asked for.
    func note(_ name: String, upTo position: Position) {
        let lane = LaneKey(queue: position.queue, lane: position.lane)
        let now = clock.now
        writes.withLock { writes in
            let before = writes[name]?[lane]?.offset ?? .none
            writes[name, default: [:]][lane] = Write(offset: max(before, position.offset), at: now)
        }
    }

    /// What the reads of an identity are to show.
    func positions(of name: String) -> [Position] {
        let now = clock.now
        return writes.withLock { writes in
            var positions = Self.take(name, &writes, after: now - ttl)
            if !name.isEmpty { positions += Self.take("", &writes, after: now - ttl) }
            return positions
        }
    }

    /// Forgets what is older.
    private static func take(
        _ name: String,
        _ writes: inout [String: [LaneKey: Write]],
        after oldest: Duration
    ) -> [Position] {
        guard let lanes = writes[name] else { return [] }
        let kept = lanes.filter { $0.value.at >= oldest }
        if kept.count < lanes.count { writes[name] = kept.isEmpty ? nil : kept }
        return kept.map { Position(queue: $0.key.queue, lane: $0.key.lane, offset: $0.value.offset) }
    }
}
