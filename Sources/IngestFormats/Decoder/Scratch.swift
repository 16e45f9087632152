/// A growing buffer that keeps its memory from event to event.
struct Scratch: ~Copyable {
    private(set) var base = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
    private var capacity = 256
    var count = 0

    deinit {
        base.deallocate()
    }

    /// Where the next byte goes, with room for `extra` more.
    mutating func reserve(_ extra: Int) -> UnsafeMutablePointer<UInt8> {
        if count + extra > capacity {
            let larger = max(capacity * 2, count + extra)
            let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
            moved.update(from: base, count: count)
            base.deallocate()
            base = moved
            capacity = larger
        }
        return base + count
    }

    mutating func append(_ bytes: UnsafePointer<UInt8>, _ size: Int) {
        reserve(size).update(from: bytes, count: size)
        count += size
    }

    mutating func append(_ byte: UInt8) {
        reserve(1)[0] = byte
        count += 1
    }
}
