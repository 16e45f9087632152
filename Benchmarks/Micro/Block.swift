import CLZ4

/// A block's compression, called as the log calls it: the state is kept, the fastest level.
final class Block {
    private let state = UnsafeMutableRawPointer.allocate(byteCount: Int(LZ4_sizeofState()), alignment: 16)
    private let target: UnsafeMutablePointer<CChar>
    private let capacity: Int

    /// - Parameter capacity: the most bytes that are compressed, and that they may come to.
    init(_ capacity: Int) {
        self.capacity = capacity
        target = .allocate(capacity: capacity)
    }

    deinit {
        state.deallocate()
        target.deallocate()
    }

    /// Returns how many bytes it came to.
    func compress(_ raw: [UInt8]) -> Int32 {
        raw.withUnsafeBytes { raw in
            let source = raw.baseAddress?.assumingMemoryBound(to: CChar.self)
            return LZ4_compress_fast_extState(state, source, target, Int32(raw.count), Int32(capacity), 1)
        }
    }

    /// Takes apart what was compressed last; returns how many bytes it was.
    func decompress(_ length: Int32, into output: inout [UInt8]) -> Int32 {
        output.withUnsafeMutableBytes { output in
            let place = output.baseAddress?.assumingMemoryBound(to: CChar.self)
            return LZ4_decompress_safe(target, place, length, Int32(output.count))
        }
    }
}
