/// A number of bytes, as in `64MiB`, `64MB` or `0B`; never negative.
package struct ByteCount: Hashable, Comparable, Sendable {
    package let bytes: Int

    package init(_ bytes: Int) {
        precondition(bytes >= 0, "a number of bytes is not negative")
        self.bytes = bytes
    }

    package init(mebibytes: Int) {
        self.init(mebibytes << 20)
    }

    package init(gibibytes: Int) {
        self.init(gibibytes << 30)
    }

    package static var zero: ByteCount { ByteCount(0) }

    package static func < (left: ByteCount, right: ByteCount) -> Bool {
        left.bytes < right.bytes
    }

    /// IEC 80000-13 prefixes for powers of 1024, SI prefixes for powers of 1000; largest first.
    static let units: [(name: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("TB", 1_000_000_000_000),
        ("GiB", 1 << 30), ("GB", 1_000_000_000),
        ("MiB", 1 << 20), ("MB", 1_000_000),
        ("KiB", 1 << 10), ("KB", 1_000),
        ("B", 1),
    ]
}

extension ByteCount: CustomStringConvertible {
    /// The number in the largest unit that leaves no fraction.
    package var description: String {
        guard bytes > 0 else { return "0B" }
        for unit in Self.units where bytes.isMultiple(of: unit.bytes) {
            return "\(bytes / unit.bytes)\(unit.name)"
        }
        return "\(bytes)B"
    }
}
