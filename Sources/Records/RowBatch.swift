/// Rows of one request on their way to the queue: COPY binary tuples back to back, without header or trailer.
///
/// Format of a tuple: PostgreSQL manual, "COPY", section "Binary Format": a big-endian Int16 field count, then per field a
/// big-endian Int32 length (-1 for NULL) and that many bytes.
///
/// Owner: whoever builds it (an event loop, a verb), until it is handed to an append; from then on nobody changes it.
package final class RowBatch: @unchecked Sendable {
    // Sendable because a batch has one owner until it is handed over and is immutable afterwards.
    //
    // Its properties are touched for every field of every event, and no access to one of them is ever under way when another
    // begins: so the runtime need not watch for that.

    /// Consecutive rows of one layout.
    package struct Run: Hashable, Sendable {
        package var fingerprint: Fingerprint
        package var rows: Int
        /// The end of the run's bytes, exclusive; it begins where the run before it ends.
        package var endByte: Int
    }

    @usableFromInline package private(set) var base: UnsafeMutableRawPointer
    @usableFromInline package private(set) var capacity: Int
    /// Bytes written so far, the open row included.
    @usableFromInline package var byteCount = 0
    package private(set) var runs: [Run] = []
    package private(set) var rowCount = 0
    /// Where the queue learns what the runs' fingerprints stand for.
    package let layouts: any LayoutSource
    private var rowStart = 0

    package init(layouts: any LayoutSource, capacity: Int = 4096) {
        self.layouts = layouts
        self.capacity = max(64, capacity)
        base = .allocate(byteCount: self.capacity, alignment: 8)
    }

    deinit {
        base.deallocate()
    }

    /// All bytes of the finished rows.
    package var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base, count: byteCount)
    }

    /// Makes room for `count` more bytes and returns where to write the next one; `byteCount` is the caller's to advance.
    @inlinable
    package func reserve(_ count: Int) -> UnsafeMutableRawPointer {
        if byteCount + count > capacity {
            grow(by: count)
        }
        return base + byteCount
    }

    @usableFromInline
    package func grow(by count: Int) {
        let larger = max(capacity * 2, byteCount + count)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 8)
        moved.copyMemory(from: base, byteCount: byteCount)
        base.deallocate()
        base = moved
        capacity = larger
    }

    /// Ends the row whose tuple was written since the last call, as a row of `fingerprint`.
    package func endRow(_ fingerprint: Fingerprint) {
        endRows(fingerprint, count: 1)
    }

    /// Ends `count` rows, whose tuples were written since the last call, as rows of `fingerprint`.
    package func endRows(_ fingerprint: Fingerprint, count: Int) {
        rowCount += count
        rowStart = byteCount
        if let last = runs.indices.last, runs[last].fingerprint == fingerprint {
            runs[last].rows += count
            runs[last].endByte = byteCount
        } else {
            runs.append(Run(fingerprint: fingerprint, rows: count, endByte: byteCount))
        }
    }

    /// Throws away what was written of the open row.
    package func abandonRow() {
        byteCount = rowStart
    }

    /// A state that the batch can be brought back to.
    package struct Mark {
        fileprivate var byteCount: Int
        fileprivate var rowCount: Int
        fileprivate var runCount: Int
        fileprivate var lastRun: Run?
    }

    /// The batch as it is between two rows.
    package var mark: Mark {
        Mark(byteCount: byteCount, rowCount: rowCount, runCount: runs.count, lastRun: runs.last)
    }

    /// Throws away what was added since.
    package func rewind(to mark: Mark) {
        byteCount = mark.byteCount
        rowStart = mark.byteCount
        rowCount = mark.rowCount
        runs.removeSubrange(mark.runCount...)
        if let last = mark.lastRun { runs[mark.runCount - 1] = last }
    }

    /// Throws away every row.
    package func removeAll() {
        byteCount = 0
        rowStart = 0
        rowCount = 0
        runs.removeAll(keepingCapacity: true)
    }
}
