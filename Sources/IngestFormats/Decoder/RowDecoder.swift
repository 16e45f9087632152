import Records

/// The decoder proper: raw addresses and plain values only, so that the inner loops touch no reference count.
///
/// Its methods on the hot path are mutating even where they change nothing: the compiler (Swift 6.3) copies a borrowed value
/// of this size to the stack on every call, and never an inout one; that was more than half of the time. For the same reason
/// it is not copyable. Owner: its ``EventDecoder``. The addresses into body and batch mean something during `decode` only.
struct RowDecoder: ~Copyable {
    typealias Bytes = UnsafePointer<UInt8>

    /// Where a column's field of the open row begins, if it was given: `serial` is then that of the row.
    struct Slot {
        var serial: UInt64
        /// Counted from the batch's first byte.
        var start: Int
    }

    // The plan, borrowed from the decoder's owner.
    let columns: UnsafeMutablePointer<ColumnPlan>
    let columnCount: Int
    let names: NameTable
    let extraColumn: Int
    let limits: DecodeLimits
    /// Room that a row takes beyond what its event's text takes.
    let overhead: Int

    // The body. `end` is the logical end, of a line or of the body; up to `hardEnd` memory may be read.
    var start: Bytes
    var end: Bytes
    var hardEnd: Bytes

    // The batch: where its bytes begin, where the next one goes and where the room ends.
    var batch: Unmanaged<RowBatch>?
    var base: UnsafeMutableRawPointer
    var out: UnsafeMutableRawPointer
    var outEnd: UnsafeMutableRawPointer

    // The open row.
    var serial: UInt64 = 0
    var rowStart = 0
    /// The column after the last one written, as long as fields come in the columns' order.
    var nextColumn = 0
    /// Fields came in another order: they are put right at the end of the row.
    var isScattered = false
    var omitted: UInt64 = 0
    /// The first column that was passed without a value though it needs one; -1 if none was.
    var lacking = -1
    let slots: UnsafeMutablePointer<Slot>
    /// What the fault of a refusal is told by: the column in work, or -1, and its field's name as it stands in the body.
    var column = -1
    var keyStart: Bytes
    var keyEnd: Bytes

    // What is learned or kept from row to row.
    /// By entry of the name table, shifted by one: the entry that came next in the last event. The first place is for
    /// the first field of an event.
    let follower: UnsafeMutablePointer<Int32>
    var dayMemo = TimeText.DayMemo()
    var lastOmitted: UInt64 = 0
    var lastFingerprint: Fingerprint
    /// The kinds of the open brackets of the value being skipped.
    let brackets: UnsafeMutablePointer<UInt8>
    var scratch = Scratch()
    var extras = Extras()

    init(plan: DecodePlan, limits: DecodeLimits) {
        columns = plan.columns
        columnCount = plan.schema.columns.count
        names = plan.names
        extraColumn = plan.extraColumn
        self.limits = limits
        overhead = 64 + plan.constantBytes + (FieldWriter.fixedFieldLimit + 4) * columnCount
        slots = .allocate(capacity: columnCount)
        slots.initialize(repeating: Slot(serial: 0, start: 0), count: columnCount)
        follower = .allocate(capacity: names.count + 1)
        for index in 0...names.count {
            follower[index] = Int32(index < names.count ? index : 0)
        }
        lastFingerprint = plan.fullLayout
        brackets = .allocate(capacity: max(1, limits.depth))
        let nowhere = Bytes(brackets)
        (start, end, hardEnd, keyStart, keyEnd) = (nowhere, nowhere, nowhere, nowhere, nowhere)
        base = UnsafeMutableRawPointer(brackets)
        (out, outEnd) = (base, base)
    }

    deinit {
        slots.deallocate()
        follower.deallocate()
        brackets.deallocate()
    }

    /// Makes sure that `count` bytes more, and all that the rest of the event can add, fit behind `out`.
    @inline(__always)
    mutating func makeRoom(_ count: Int, before p: Bytes) {
        let needed = count + (end - p) + overhead
        if outEnd - out < needed {
            growBatch(needed)
        }
    }

    @inline(never)
    private mutating func growBatch(_ needed: Int) {
        guard let batch else { return }
        let used = out - base
        batch._withUnsafeGuaranteedRef { batch in
            batch.byteCount = used
            out = batch.reserve(needed)
            base = batch.base
            outEnd = batch.base + batch.capacity
        }
    }

    @inline(__always)
    mutating func skipSpace(_ p: Bytes) -> Bytes {
        if p < end, p[0] > 0x20 { return p }
        return skipSpaces(p)
    }

    @inline(never)
    private mutating func skipSpaces(_ first: Bytes) -> Bytes {
        var p = first
        while p < end, p[0] == 0x20 || p[0] == 0x0A || p[0] == 0x0D || p[0] == 0x09 {
            p += 1
        }
        return p
    }
}
