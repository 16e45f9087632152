/// Memory that grows and is used again, page-aligned. Owner: whoever made it; never shared between threads.
final class ReusedBytes {
    private(set) var base: UnsafeMutableRawPointer
    private(set) var capacity: Int

    init(capacity: Int) {
        self.capacity = max(4096, capacity)
        base = .allocate(byteCount: self.capacity, alignment: 4096)
    }

    deinit {
        base.deallocate()
    }

    /// Makes the memory at least `needed` bytes large, keeping the first `kept` bytes.
    func ensure(_ needed: Int, keeping kept: Int = 0) {
        guard needed > capacity else { return }
        let larger = max(needed, capacity * 2)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 4096)
        moved.copyMemory(from: base, byteCount: kept)
        base.deallocate()
        base = moved
        capacity = larger
    }

    /// Gives memory back that one large request made it take. The content is gone.
    func shrink(to limit: Int) {
        guard capacity > limit else { return }
        base.deallocate()
        capacity = max(4096, limit)
        base = .allocate(byteCount: capacity, alignment: 4096)
    }
}
