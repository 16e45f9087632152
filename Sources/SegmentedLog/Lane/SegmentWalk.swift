internal import CChecksum
internal import CLZ4
package import Records

/// Reads the blocks of one segment file.
///
/// Owner: one thread. It keeps a window of the file in memory, so that reading in sequence takes one call for many blocks; bytes
/// beyond `limit` are never read, since they may still change.
package final class SegmentWalk {
    package let header: SegmentHeader
    /// Where the readable bytes end; it may grow.
    package var limit: Int
    private let file: any File
    private let cipher: SegmentCipher?
    private let window: ReusedBytes
    private var windowStart = 0
    private var windowCount = 0
    private let readAhead: Int

    /// What stands at a position.
    package enum Finding: Hashable, Sendable {
        /// A block of this segment, going by its header; the body has not been looked at.
        case block(BlockHeader)
        /// No block of this segment: zeros, stale bytes, or the end of the file.
        case nothing
        /// A block's header, but not a whole one or not one that fits.
        case damaged(String)
    }

    package init(file: any File, header: SegmentHeader, cipher: SegmentCipher?, limit: Int, readAhead: Int = 512 << 10)
    {
        self.file = file
        self.header = header
        self.cipher = cipher
        self.limit = limit
        self.readAhead = readAhead
        window = ReusedBytes(capacity: readAhead)
    }

    /// The block header at `position`.
    package func look(at position: Int) throws(FileFault) -> Finding {
        guard let bytes = try bytes(at: position, count: BlockHeader.byteCount)?.baseAddress else { return .nothing }
        let block: BlockHeader
        do throws(BlockHeader.Fault) {
            block = try BlockHeader.decode(bytes)
        } catch .magic {
            return .nothing
        } catch {
            return .damaged(error.description)
        }
        guard block.mark == header.mark, block.key == header.key else { return .nothing }
        guard position + block.totalBytes <= limit else {
            return .damaged("a block of \(block.totalBytes) bytes where \(limit - position) are left")
        }
        return .block(block)
    }

    /// Keys and payload as stored, if their checksum matches; nil if it does not. Valid until the next call.
    package func body(of block: BlockHeader, at position: Int) throws(FileFault) -> UnsafeRawBufferPointer? {
        let length = block.keysLength + block.storedLength
        guard let whole = try bytes(at: position, count: block.totalBytes), let start = whole.baseAddress else {
            return nil
        }
        let body = start + BlockHeader.byteCount
        guard forebay_crc32c(0, body, length) == block.bodyChecksum else { return nil }
        return UnsafeRawBufferPointer(start: body, count: length)
    }

    /// The key entries of a checked body.
    package func keys(of block: BlockHeader, in body: UnsafeRawBufferPointer) -> [KeyEntry] {
        guard block.keysLength > 0, let start = body.baseAddress else { return [] }
        return (0..<block.keysLength / KeyEntry.byteCount).compactMap { index in
            KeyEntry.decode(start + index * KeyEntry.byteCount)
        }
    }

    /// The rows of a block whose body has been checked; nil if they can't be unpacked.
    package func rows(of block: BlockHeader, in body: UnsafeRawBufferPointer) throws(LogFault) -> [UInt8]? {
        var payload = UnsafeRawBufferPointer(rebasing: body[block.keysLength...])
        var opened: [UInt8] = []
        if block.flags.contains(.encrypted) {
            guard let cipher else { throw .missingKey(id: header.keyID ?? "") }
            guard
                let plain = open(
                    payload,
                    of: block,
                    keys: UnsafeRawBufferPointer(rebasing: body[..<block.keysLength]),
                    cipher
                )
            else { return nil }
            opened = plain
        } else if header.keyID != nil {
            return nil
        }
        if block.flags.contains(.encrypted) {
            if !block.flags.contains(.compressed) { return opened }
            return opened.withUnsafeBytes { Self.decompress($0, length: block.rawLength) }
        }
        if block.flags.contains(.compressed) { return Self.decompress(payload, length: block.rawLength) }
        payload = UnsafeRawBufferPointer(rebasing: payload[..<block.rawLength])
        return [UInt8](payload)
    }

    private func open(
        _ sealed: UnsafeRawBufferPointer,
        of block: BlockHeader,
        keys: UnsafeRawBufferPointer,
        _ cipher: SegmentCipher
    ) -> [UInt8]? {
        let authenticated = UnsafeMutableRawPointer.allocate(byteCount: BlockHeader.byteCount, alignment: 8)
        defer { authenticated.deallocate() }
        block.encode(into: authenticated)
        let count = sealed.count - SegmentCipher.tagBytes
        var isGenuine = false
        let plain = [UInt8](unsafeUninitializedCapacity: max(1, count)) { buffer, initialized in
            guard count >= 0, let target = buffer.baseAddress else { return }
            isGenuine = cipher.open(
                sealed,
                header: UnsafeRawBufferPointer(start: authenticated, count: BlockHeader.authenticatedBytes),
                keys: keys,
                block: block.number,
                into: target
            )
            initialized = isGenuine ? count : 0
        }
        return isGenuine ? plain : nil
    }

    private static func decompress(_ packed: UnsafeRawBufferPointer, length: Int) -> [UInt8]? {
        var isWhole = false
        let rows = [UInt8](unsafeUninitializedCapacity: length) { buffer, initialized in
            let written = LZ4_decompress_safe(
                packed.baseAddress?.assumingMemoryBound(to: CChar.self),
                UnsafeMutableRawPointer(buffer.baseAddress)?.assumingMemoryBound(to: CChar.self),
                Int32(packed.count),
                Int32(length)
            )
            isWhole = Int(written) == length
            initialized = isWhole ? length : 0
        }
        return isWhole ? rows : nil
    }

    /// The next block at a sector after `position` whose rows begin at `offset` or later.
    package func resynchronize(
        after position: Int,
        from offset: Offset
    ) throws(FileFault) -> (position: Int, block: BlockHeader)? {
        var sector = Sector.roundUp(position + 1)
        while sector + BlockHeader.byteCount <= limit {
            // Nearly all sectors are no blocks: the magic alone is compared first.
            guard let bytes = try bytes(at: sector, count: BlockHeader.byteCount)?.baseAddress else { return nil }
            if bytes.littleEndian(at: 0) != BlockHeader.magic {
                sector += Sector.byteCount
                continue
            }
            if case .block(let block) = try look(at: sector), block.first >= offset {
                return (sector, block)
            }
            sector += Sector.byteCount
        }
        return nil
    }

    /// `count` bytes of the file; nil if they are not all within the limit. Valid until the next call.
    private func bytes(at position: Int, count: Int) throws(FileFault) -> UnsafeRawBufferPointer? {
        guard position >= 0, count <= limit - position else { return nil }
        if position < windowStart || position + count > windowStart + windowCount {
            let wanted = min(max(count, readAhead), limit - position)
            window.ensure(wanted)
            windowStart = position
            windowCount = 0
            windowCount = try file.read(
                into: UnsafeMutableRawBufferPointer(start: window.base, count: wanted),
                at: position
            )
            guard count <= windowCount else { return nil }
        }
        return UnsafeRawBufferPointer(start: window.base + (position - windowStart), count: count)
    }

    /// Gives memory back that an unusually large block made the walk take.
    package func releaseExcess() {
        if window.capacity > 4 * readAhead {
            windowCount = 0
            window.shrink(to: readAhead)
        }
    }
}
