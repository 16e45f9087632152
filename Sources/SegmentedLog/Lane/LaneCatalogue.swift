package import Records
import Synchronization

/// What a lane consists of just now: its segments, its durable end, its spare files. Writer, readers and trimmer share it.
package final class LaneCatalogue: Sendable {
    package let key: LaneKey
    /// The lane's directory.
    package let directory: String
    private let state: Mutex<State>

    package struct Segment: Hashable, Sendable {
        package var base: Offset
        /// Bytes of the file.
        package var bytes: Int
        /// Something in it could not be read; it goes to quarantine instead of being trimmed.
        package var hasDamage = false
        /// The newest idempotency key in it, in seconds since 1970; 0 if it has none, nil as long as that is not known.
        package var newestKey: UInt32?
        /// When the replicated watermark was first seen to cover it.
        package var coveredAt: WallTime?

        package init(base: Offset, bytes: Int, hasDamage: Bool = false) {
            self.base = base
            self.bytes = bytes
            self.hasDamage = hasDamage
        }
    }

    package struct Spare: Hashable, Sendable {
        package var name: String
        package var bytes: Int
    }

    /// A sealed segment whose keys are not in a sidecar yet.
    package struct SealedKeys: Sendable {
        package var base: Offset
        package var last: Offset
        package var keys: [KeyEntry]
    }

    /// The sidecar of a trimmed segment, which stays until its newest key is older than the idempotency window.
    struct Orphan {
        var base: Offset
        var newestKey: UInt32
    }

    struct State {
        /// By base, growing. The last one is the one written to, or was.
        var segments: [Segment]
        /// Trimmed, and their files are not gone for good; oldest first.
        var leaving: [Segment] = []
        /// The last offset that may be read.
        var end: Offset
        /// Where the readable bytes of the last segment end.
        var endByte: Int
        var spares: [Spare]
        var nextSpare: Int
        var sealed: [SealedKeys] = []
        /// In the order of trimming.
        var orphans: [Orphan] = []
    }

    /// Where an offset is to be looked for.
    package enum Location: Hashable, Sendable {
        /// After the durable end.
        case ahead
        /// Before the first segment.
        case trimmed(first: Offset)
        /// In this segment, whose offsets end at `last` and whose readable bytes end at `limit`.
        case segment(Segment, last: Offset, limit: Int)
    }

    init(key: LaneKey, directory: String, state: sending State) {
        self.key = key
        self.directory = directory
        self.state = Mutex(state)
    }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// The durable watermark.
    package var end: Offset { state.withLock { $0.end } }

    /// The first offset that can still be read; one past `end` if there is none.
    package var first: Offset {
        state.withLock { $0.segments.first?.base ?? $0.end.advanced(by: 1) }
    }

    /// The last offset that no crash brings back: what is trimmed and not gone from the disk for good is behind it.
    package var gone: Offset {
        state.withLock { state in
            let first = state.leaving.first?.base ?? state.segments.first?.base ?? state.end.advanced(by: 1)
            return Offset(first.rawValue - 1)
        }
    }

    package var segments: [Segment] { state.withLock { $0.segments } }
    package var spares: [Spare] { state.withLock { $0.spares } }

    package func locate(_ offset: Offset) -> Location {
        state.withLock { state in
            guard offset <= state.end else { return .ahead }
            guard let first = state.segments.first else { return .trimmed(first: state.end.advanced(by: 1)) }
            guard offset >= first.base else { return .trimmed(first: first.base) }
            var (low, high) = (0, state.segments.count)
            while high - low > 1 {
                let middle = (low + high) / 2
                if state.segments[middle].base <= offset { low = middle } else { high = middle }
            }
            let segment = state.segments[low]
            if low + 1 < state.segments.count {
                let last = Offset(state.segments[low + 1].base.rawValue - 1)
                return .segment(segment, last: min(last, state.end), limit: segment.bytes)
            }
            return .segment(segment, last: state.end, limit: state.endByte)
        }
    }

    /// Notes that the rows up to `end`, and the bytes of the last segment up to `endByte`, may be read.
    func publish(end: Offset, endByte: Int) {
        state.withLock { state in
            state.end = end
            state.endByte = endByte
        }
    }

    /// Puts a new segment at the end, in place of one with the same base.
    /// - Returns: the bytes of the file that it replaced.
    func begin(_ segment: Segment) -> Int {
        state.withLock { state in
            var replaced = 0
            if let last = state.segments.last, last.base == segment.base {
                replaced = last.bytes
                state.segments.removeLast()
            }
            state.segments.append(segment)
            state.endByte = SegmentHeader.byteCount
            return replaced
        }
    }

    func noteSealed(_ sealed: SealedKeys) {
        state.withLock { $0.sealed.append(sealed) }
    }

    /// The base of the oldest segment whose keys are in memory only.
    var firstWithoutSidecar: Offset? { state.withLock { $0.sealed.map(\.base).min() } }

    func firstSealed() -> SealedKeys? {
        state.withLock { $0.sealed.first }
    }

    func dropSealed(_ base: Offset) {
        state.withLock { state in state.sealed.removeAll { $0.base == base } }
    }

    /// Notes that a segment could not be read in full.
    package func noteDamage(in base: Offset) {
        change(base) { $0.hasDamage = true }
    }

    func change(_ base: Offset, _ body: (inout Segment) -> Void) {
        state.withLock { state in
            guard let index = state.segments.firstIndex(where: { $0.base == base }) else { return }
            body(&state.segments[index])
        }
    }

    var leaving: [Segment] { state.withLock { $0.leaving } }

    /// Takes a segment off the list, before its file goes.
    func dismiss(_ base: Offset) {
        state.withLock { state in
            guard let index = state.segments.firstIndex(where: { $0.base == base }) else { return }
            state.leaving.append(state.segments.remove(at: index))
        }
    }

    /// The file of a dismissed segment is gone for good.
    func forget(_ base: Offset) {
        state.withLock { state in state.leaving.removeAll { $0.base == base } }
    }

    func addOrphan(_ orphan: Orphan) {
        state.withLock { $0.orphans.append(orphan) }
    }

    /// Takes out the first orphan if its newest key is older than `oldest`.
    func takeOrphan(olderThan oldest: UInt32) -> Orphan? {
        state.withLock { state in
            guard let first = state.orphans.first, first.newestKey < oldest else { return nil }
            return state.orphans.removeFirst()
        }
    }

    func takeSpare() -> Spare? {
        state.withLock { $0.spares.popLast() }
    }

    func addSpare(_ spare: Spare) {
        state.withLock { $0.spares.append(spare) }
    }

    /// A name for a spare file that no file of the lane has.
    func spareName() -> String {
        state.withLock { state in
            state.nextSpare += 1
            return LaneFiles.spare(state.nextSpare)
        }
    }
}
