/// The names under which an event may give a column, laid out for comparing raw bytes.
///
/// Immutable after init; the memory is freed with the plan that owns it.
struct NameTable {
    /// A name's bytes as they stand in JSON text, the closing quote included, so that one comparison settles both.
    struct Entry {
        /// The first 16 bytes as two words in memory order, and which of their bytes count.
        var word0: UInt64
        var word1: UInt64
        var mask0: UInt64
        var mask1: UInt64
        var bytes: UnsafePointer<UInt8>
        /// The closing quote included.
        var length: Int
        var column: Int
    }

    let entries: UnsafeMutablePointer<Entry>
    let count: Int
    private let buckets: UnsafeMutablePointer<Int32>
    private let bucketMask: Int

    /// - Parameter names: each with the index of its column; no name twice.
    init(_ names: [(name: String, column: Int)]) {
        count = names.count
        entries = .allocate(capacity: max(1, names.count))
        var size = 16
        while size < names.count * 2 {
            size *= 2
        }
        bucketMask = size - 1
        buckets = .allocate(capacity: size)
        buckets.initialize(repeating: -1, count: size)
        for (index, name) in names.enumerated() {
            let bytes = Array(name.name.utf8) + [UInt8(ascii: "\"")]
            let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
            copy.initialize(from: bytes, count: bytes.count)
            let (word0, mask0) = Self.word(bytes, from: 0)
            let (word1, mask1) = Self.word(bytes, from: 8)
            (entries + index).initialize(
                to: Entry(
                    word0: word0,
                    word1: word1,
                    mask0: mask0,
                    mask1: mask1,
                    bytes: UnsafePointer(copy),
                    length: bytes.count,
                    column: name.column
                )
            )
            var bucket = Int(truncatingIfNeeded: Self.hash(copy, bytes.count - 1)) & bucketMask
            while buckets[bucket] >= 0 {
                bucket = (bucket + 1) & bucketMask
            }
            buckets[bucket] = Int32(index)
        }
    }

    func deallocate() {
        for index in 0..<count {
            entries[index].bytes.deallocate()
        }
        entries.deallocate()
        buckets.deallocate()
    }

    /// The entry of a name, given without quotes; -1 if there is none.
    func find(_ name: UnsafePointer<UInt8>, _ length: Int) -> Int {
        var bucket = Int(truncatingIfNeeded: Self.hash(name, length)) & bucketMask
        while buckets[bucket] >= 0 {
            let index = Int(buckets[bucket])
            if entries[index].length == length + 1, same(entries[index].bytes, name, length) {
                return index
            }
            bucket = (bucket + 1) & bucketMask
        }
        return -1
    }

    private static func word(_ bytes: [UInt8], from start: Int) -> (word: UInt64, mask: UInt64) {
        var word: UInt64 = 0
        var mask: UInt64 = 0
        for index in start..<max(start, min(start + 8, bytes.count)) {
            word |= UInt64(bytes[index]) << UInt64(8 * (index - start))
            mask |= 0xFF << UInt64(8 * (index - start))
        }
        return (UInt64(littleEndian: word), UInt64(littleEndian: mask))
    }

    /// FNV-1a. The table holds only names of the configuration, so nobody outside can make it collide.
    private static func hash(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in 0..<count {
            hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01B3
        }
        return hash ^ hash >> 32
    }
}

/// Whether `count` bytes are the same at both addresses.
@inline(__always)
func same(_ left: UnsafePointer<UInt8>, _ right: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    var index = 0
    while index < count {
        if left[index] != right[index] { return false }
        index += 1
    }
    return true
}
