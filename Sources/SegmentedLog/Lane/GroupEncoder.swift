internal import CChecksum
internal import CLZ4
import Records

/// Packs requests into the blocks of one group commit.
///
/// Between `begin` and `finish`, every `add` puts a request behind those before it. Small requests of the same layout share a
/// block; the block stays open until the next one can't join. Memory is used again from group to group.
///
/// Owner: the lane's writer.
package final class GroupEncoder {
    /// What all blocks of a group have in common.
    struct Frame {
        var key: LaneKey
        var mark: UInt64
        var cipher: SegmentCipher?
        var firstBlock: UInt32
        var first: Offset
        var floor: Offset
        var written: WallTime
        /// The most bytes that the group may take in the segment, padding included.
        var room: Int
    }

    /// The block that is being filled; its rows stand in `pieces` until it is closed.
    private struct OpenBlock {
        var fingerprint: Fingerprint
        var rows = 0
        var rawLength = 0
        var continues = false
        /// A part of a run: other requests keep out.
        var isClosedToOthers = false
    }

    private let blockBytes: Int
    private let output = ReusedBytes(capacity: 1 << 20)
    private let gathered: ReusedBytes
    private let compressed: ReusedBytes
    private let compressorState: UnsafeMutableRawPointer

    private var frame: Frame?
    private var used = 0
    private var nextOffset = Offset.none
    private var nextBlock: UInt32 = 0
    private var open: OpenBlock?
    private var pieces: [UnsafeRawBufferPointer] = []
    private var openKeys: [KeyEntry] = []
    /// The keys of all requests of the group.
    private(set) var keys: [KeyEntry] = []
    private var failure: LogFault?

    init(blockBytes: Int) {
        self.blockBytes = blockBytes
        gathered = ReusedBytes(capacity: blockBytes)
        compressed = ReusedBytes(capacity: blockBytes)
        compressorState = .allocate(byteCount: Int(LZ4_sizeofState()), alignment: 16)
    }

    deinit {
        compressorState.deallocate()
    }

    /// The first offset after the rows added so far.
    var end: Offset { nextOffset }
    /// The number of the block after those added so far; of use after `finish`.
    var blockAfter: UInt32 { nextBlock }

    /// The most bytes that a request can take in a segment, padding included.
    func bound(of batch: RowBatch) -> Int {
        let blocks = batch.runs.count + 2 * (batch.byteCount / blockBytes) + 1
        return batch.byteCount + blocks * (BlockHeader.byteCount + SegmentCipher.tagBytes) + KeyEntry.byteCount
            + Sector.byteCount
    }

    func begin(_ frame: Frame) {
        self.frame = frame
        used = 0
        nextOffset = frame.first
        nextBlock = frame.firstBlock
        open = nil
        failure = nil
        pieces.removeAll(keepingCapacity: true)
        openKeys.removeAll(keepingCapacity: true)
        keys.removeAll(keepingCapacity: true)
    }

    /// What became of a request.
    enum Addition {
        case added
        /// There is no room left for it in the segment.
        case noRoom
        /// It can't be stored anywhere; the group is as it was before.
        case refused(String)
    }

    /// Adds a request. The batch must outlive `finish`.
    func add(_ batch: RowBatch, keyed: KeyedRequest?) -> Addition {
        guard let frame else { preconditionFailure("add outside of a group") }
        guard used + openBound + bound(of: batch) <= frame.room else { return .noRoom }
        let first = nextOffset
        let runs = batch.runs
        if runs.count == 1, runs[0].endByte <= blockBytes {
            join(runs[0].fingerprint, batch.bytes, rows: runs[0].rows)
        } else {
            closeBlock(groupEnds: false)
            let before = (used, nextBlock)
            guard addRun(batch) else {
                (used, nextBlock) = before
                nextOffset = first
                open = nil
                pieces.removeAll(keepingCapacity: true)
                return .refused("the bytes of the request are no whole COPY tuples of at most 256 MiB")
            }
        }
        if let keyed {
            let entry = KeyEntry(request: keyed, first: first, count: batch.rowCount, seconds: frame.written.seconds)
            openKeys.append(entry)
            keys.append(entry)
        }
        return .added
    }

    /// What a group commit writes.
    struct Group {
        /// Valid until the next `begin`. Behind the group stand zeros up to the end of a page: so the kernel need not read a page to change
        /// a part of it.
        var bytes: UnsafeRawBufferPointer
        /// Bytes of the group itself, padded to whole sectors.
        var length: Int
    }

    /// Closes the group.
    ///
    /// - Parameter position: where in the file it will stand.
    func finish(at position: Int) throws(LogFault) -> Group {
        closeBlock(groupEnds: true)
        guard let frame else { preconditionFailure("finish outside of a group") }
        self.frame = nil
        if let failure { throw failure }
        let length = Sector.roundUp(used)
        let pageEnd = (position + length + Self.pageBytes - 1) & ~(Self.pageBytes - 1)
        let count = min(pageEnd - position, frame.room)
        output.ensure(count, keeping: used)
        (output.base + used).initializeMemory(as: UInt8.self, repeating: 0, count: count - used)
        return Group(bytes: UnsafeRawBufferPointer(start: output.base, count: count), length: length)
    }

    private static let pageBytes = 4096

    /// Gives memory back that an unusually large group made the encoder take.
    func releaseExcess() {
        output.shrink(to: 8 << 20)
        gathered.shrink(to: 1 << 20)
        compressed.shrink(to: 1 << 20)
    }

    private var openBound: Int {
        guard let open else { return 0 }
        return open.rawLength + openKeys.count * KeyEntry.byteCount + BlockHeader.byteCount + SegmentCipher.tagBytes
    }

    private func join(_ fingerprint: Fingerprint, _ bytes: UnsafeRawBufferPointer, rows: Int) {
        if var block = open, block.fingerprint == fingerprint, !block.isClosedToOthers,
            block.rawLength + bytes.count <= blockBytes
        {
            block.rows += rows
            block.rawLength += bytes.count
            open = block
        } else {
            closeBlock(groupEnds: false)
            open = OpenBlock(fingerprint: fingerprint, rows: rows, rawLength: bytes.count)
        }
        pieces.append(bytes)
        nextOffset = nextOffset.advanced(by: rows)
    }

    /// Puts a request into blocks of its own, split between rows; the last of them stays open for the keys. False if its bytes
    /// are not what they should be.
    private func addRun(_ batch: RowBatch) -> Bool {
        var start = 0
        for run in batch.runs {
            var rowsLeft = run.rows
            while rowsLeft > 0 {
                let rest = UnsafeRawBufferPointer(rebasing: batch.bytes[start..<run.endByte])
                let rows: Int
                let end: Int
                if rest.count <= blockBytes {
                    (rows, end) = (rowsLeft, rest.count)
                } else if let part = TupleWalk.split(rest, limit: blockBytes), part.rows <= rowsLeft {
                    (rows, end) = part
                } else {
                    return false
                }
                guard end <= BlockHeader.maximumRawLength else { return false }
                if open != nil {
                    open?.continues = true
                    closeBlock(groupEnds: false)
                }
                open = OpenBlock(fingerprint: run.fingerprint, rows: rows, rawLength: end, isClosedToOthers: true)
                pieces.append(UnsafeRawBufferPointer(rebasing: rest[..<end]))
                nextOffset = nextOffset.advanced(by: rows)
                rowsLeft -= rows
                start += end
            }
        }
        return true
    }

    /// Writes the open block, if there is one, behind those before it.
    private func closeBlock(groupEnds: Bool) {
        guard let block = open, let frame else { return }
        open = nil
        defer {
            pieces.removeAll(keepingCapacity: true)
            openKeys.removeAll(keepingCapacity: true)
        }
        let raw = rawBytes(of: block)
        let keysLength = openKeys.count * KeyEntry.byteCount
        let bodyStart = used + BlockHeader.byteCount
        output.ensure(bodyStart + keysLength + raw.count + SegmentCipher.tagBytes, keeping: used)
        for (index, entry) in openKeys.enumerated() {
            entry.encode(into: output.base + bodyStart + index * KeyEntry.byteCount)
        }

        let payloadStart = bodyStart + keysLength
        var flags: BlockHeader.Flags = []
        if block.continues { flags.insert(.continues) }
        if groupEnds { flags.insert(.groupEnds) }
        let isEncrypted = frame.cipher != nil
        if isEncrypted { compressed.ensure(raw.count) }
        let target = isEncrypted ? compressed.base : output.base + payloadStart
        let packed = compress(raw, to: target)
        if packed != nil { flags.insert(.compressed) }
        if isEncrypted { flags.insert(.encrypted) }
        let payloadLength = packed ?? raw.count
        let storedLength = payloadLength + (isEncrypted ? SegmentCipher.tagBytes : 0)

        let header = BlockHeader(
            flags: flags,
            key: frame.key,
            number: nextBlock,
            mark: frame.mark,
            fingerprint: block.fingerprint,
            first: Offset(nextOffset.rawValue - UInt64(block.rows)),
            floor: frame.floor,
            written: frame.written,
            rows: block.rows,
            rawLength: raw.count,
            storedLength: storedLength,
            keysLength: keysLength,
            bodyChecksum: 0
        )
        header.encode(into: output.base + used)
        if let cipher = frame.cipher {
            let plain = packed.map { UnsafeRawBufferPointer(start: target, count: $0) } ?? raw
            let isSealed = cipher.seal(
                plain,
                header: UnsafeRawBufferPointer(start: output.base + used, count: BlockHeader.authenticatedBytes),
                keys: UnsafeRawBufferPointer(start: output.base + bodyStart, count: keysLength),
                block: nextBlock,
                into: output.base + payloadStart
            )
            if !isSealed { failure = .cipher("libcrypto refused to encrypt a block") }
        } else if packed == nil, let source = raw.baseAddress {
            (output.base + payloadStart).copyMemory(from: source, byteCount: raw.count)
        }
        let checksum = forebay_crc32c(0, output.base + bodyStart, keysLength + storedLength)
        BlockHeader.seal(output.base + used, bodyChecksum: checksum)
        used = payloadStart + storedLength
        nextBlock += 1
    }

    /// The open block's rows in one piece: where they are if they are in one, else copied together.
    private func rawBytes(of block: OpenBlock) -> UnsafeRawBufferPointer {
        if pieces.count == 1 { return pieces[0] }
        gathered.ensure(block.rawLength)
        var filled = 0
        for piece in pieces {
            guard let source = piece.baseAddress else { continue }
            (gathered.base + filled).copyMemory(from: source, byteCount: piece.count)
            filled += piece.count
        }
        return UnsafeRawBufferPointer(start: gathered.base, count: filled)
    }

    /// Compresses to `target` if that saves at least a sixteenth; the compressed length, or nil.
    private func compress(_ raw: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer) -> Int? {
        let limit = raw.count - max(1, raw.count / 16)
        guard raw.count >= 64, limit > 0 else { return nil }
        let length = LZ4_compress_fast_extState(
            compressorState,
            raw.baseAddress?.assumingMemoryBound(to: CChar.self),
            target.assumingMemoryBound(to: CChar.self),
            Int32(raw.count),
            Int32(limit),
            1
        )
        return length > 0 ? Int(length) : nil
    }
}
