import Records

/// Puts the rows of a part into an order in which rows with equal leading columns of an index stand together, and otherwise as they came.
///
/// PostgreSQL then enters neighbours into the same page of that index one after the other (see <doc:Speed>). Any order is a right one, so nothing is
/// compared but hashes: two groups whose hashes are equal become one group. Takes one pass to hash and one to place, and allocates twice for a
/// part, not for a row.
///
/// Owner: the lane's flusher thread. It keeps its memory from flush to flush.
struct RowGrouper {
    private struct Slot {
        var hash: UInt64 = 0
        /// 0 for a free slot.
        var group: Int32 = 0
    }

    /// More groups than this are no groups: the rows stay as they came.
    static let maximumGroups = 4096
    /// A row whose hash finds no place within so many slots joins the group of the last one: nobody can make the search long.
    private static let longestSearch = 16

    /// A hash table with linear probing, twice as large as the groups that it may hold.
    private var slots: [Slot] = []
    private var places: [Flush.RowPlace] = []
    /// The group of each place, from 1.
    private var groups: [Int32] = []
    /// The rows of each group; then the index of each group's next row.
    private var counts: [Int32] = []

    /// The rows of the slices in the order in which they are best sent; nil if that is the order in which they came.
    ///
    /// - Parameter columns: indices of the columns whose equal values are put together, ascending.
    mutating func sequence(of slices: [Flush.Slice], by columns: [Int]) -> [Flush.RowPlace]? {
        guard let last = columns.last, columns.allSatisfy({ (0..<64).contains($0) }) else { return nil }
        let rows = slices.reduce(0) { $0 + $1.rows }
        guard rows > 2 else { return nil }
        let mask = columns.reduce(UInt64(0)) { $0 | 1 << UInt64($1) }
        reset(rows)
        for (index, slice) in slices.enumerated() {
            let isWhole = slice.chunk.bytes.withUnsafeBytes { bytes in
                scan(bytes, slice.range, rows: slice.rows, slice: Int32(index), mask: mask, last: last)
            }
            guard isWhole else { return nil }
        }
        // With less than two rows to a group nothing is gained, and one group is what there was.
        guard counts.count > 2, (counts.count - 1) * 2 <= rows else { return nil }
        return placed()
    }

    private mutating func reset(_ rows: Int) {
        var size = 64
        while size < min(rows, Self.maximumGroups) * 2 { size *= 2 }
        if slots.count == size {
            for index in slots.indices { slots[index].group = 0 }
        } else {
            slots = Array(repeating: Slot(), count: size)
        }
        places.removeAll(keepingCapacity: true)
        groups.removeAll(keepingCapacity: true)
        counts.removeAll(keepingCapacity: true)
        counts.append(0)
        places.reserveCapacity(rows)
        groups.reserveCapacity(rows)
    }

    /// Takes the rows of a slice down. False if they are not as many whole rows as the slice says, or have too many groups.
    private mutating func scan(
        _ bytes: UnsafeRawBufferPointer,
        _ range: Range<Int>,
        rows: Int,
        slice: Int32,
        mask: UInt64,
        last: Int
    ) -> Bool {
        var start = range.lowerBound
        for row in 0..<rows {
            guard let (end, hash) = Self.hash(bytes, from: start, to: range.upperBound, mask: mask, last: last),
                let group = group(of: hash)
            else { return false }
            places.append(
                Flush.RowPlace(slice: slice, row: Int32(row), start: Int32(start), length: Int32(end - start))
            )
            groups.append(group)
            counts[Int(group)] += 1
            start = end
        }
        return start == range.upperBound
    }

    /// Nil if there are too many groups.
    private mutating func group(of hash: UInt64) -> Int32? {
        let wrap = slots.count - 1
        var index = Int(truncatingIfNeeded: hash >> 32) & wrap
        for _ in 0..<Self.longestSearch {
            let slot = slots[index]
            if slot.group == 0 {
                guard counts.count <= Self.maximumGroups else { return nil }
                let group = Int32(counts.count)
                slots[index] = Slot(hash: hash, group: group)
                counts.append(0)
                return group
            }
            if slot.hash == hash { return slot.group }
            index = (index + 1) & wrap
        }
        return slots[(index - 1) & wrap].group
    }

    /// The places by group, the groups in the order of their first rows.
    private mutating func placed() -> [Flush.RowPlace] {
        var next: Int32 = 0
        for group in counts.indices {
            let count = counts[group]
            counts[group] = next
            next += count
        }
        return [Flush.RowPlace](unsafeUninitializedCapacity: places.count) { sequence, initialized in
            for index in places.indices {
                let group = Int(groups[index])
                sequence.initializeElement(at: Int(counts[group]), to: places[index])
                counts[group] += 1
            }
            initialized = places.count
        }
    }

    /// The end of the tuple at `start`, and a hash of its fields in `mask`, lengths included; nil if it does not end by `limit`.
    private static func hash(
        _ bytes: UnsafeRawBufferPointer,
        from start: Int,
        to limit: Int,
        mask: UInt64,
        last: Int
    ) -> (end: Int, hash: UInt64)? {
        guard limit - start >= 2 else { return nil }
        let fields = Int(Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: start, as: Int16.self)))
        guard fields > last else { return nil }
        var cursor = start + 2
        var hash: UInt64 = 0
        for field in 0..<fields {
            guard limit - cursor >= 4 else { return nil }
            let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: cursor, as: Int32.self)))
            cursor += 4
            guard length <= limit - cursor, length >= -1 else { return nil }
            if field <= last, mask >> UInt64(field) & 1 == 1 {
                hash = mix(hash, UInt64(truncatingIfNeeded: length))
                if length > 0 { hash = Self.hash(of: bytes, from: cursor, count: length, hash) }
            }
            if length > 0 { cursor += length }
        }
        return (cursor, hash)
    }

    /// Hashes whole words, and the rest as a word of its own.
    private static func hash(
        of bytes: UnsafeRawBufferPointer,
        from start: Int,
        count: Int,
        _ seed: UInt64
    ) -> UInt64 {
        var hash = seed
        var cursor = start
        let end = start + count
        while end - cursor >= 8 {
            hash = mix(hash, bytes.loadUnaligned(fromByteOffset: cursor, as: UInt64.self))
            cursor += 8
        }
        var rest: UInt64 = 0
        while cursor < end {
            rest = rest << 8 | UInt64(bytes[cursor])
            cursor += 1
        }
        return mix(hash, rest)
    }

    /// One round of a multiplicative hash: the halves of the 128-bit product, folded.
    @inline(__always)
    private static func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let product = (hash ^ word ^ 0xA076_1D64_78BD_642F).multipliedFullWidth(by: 0xE703_7ED1_A0B4_28DB)
        return product.high ^ product.low
    }
}
