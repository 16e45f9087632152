/// A file, apart from its names: what processes see of it, and what is on the disk.
final class DiskNode {
    static let sectorBytes = 512

    private(set) var content: [UInt8]
    private(set) var synced: [UInt8]
    /// Sectors that differ from the disk and that the kernel still means to write.
    private var dirty: Set<Int> = []
    /// What each write covered, in their order.
    private(set) var written: [Range<Int>] = []

    init(_ content: [UInt8] = []) {
        self.content = content
        synced = content
    }

    func put(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        guard !bytes.isEmpty else { return }
        Self.put(bytes, at: offset, in: &content)
        written.append(offset..<offset + bytes.count)
        for sector in offset / Self.sectorBytes...(offset + bytes.count - 1) / Self.sectorBytes {
            dirty.insert(sector)
        }
    }

    func resize(to size: Int) {
        if size < content.count {
            // What lies beyond is gone for good: should the file grow again, zeros stand there.
            for sector in size / Self.sectorBytes...(content.count - 1) / Self.sectorBytes { dirty.insert(sector) }
        }
        Self.resize(&content, to: size)
    }

    func sync() {
        Self.resize(&synced, to: content.count)
        for sector in dirty { Self.copySector(sector, from: content, to: &synced) }
        dirty.removeAll(keepingCapacity: true)
    }

    /// A sync fails: some sectors are written, and the kernel forgets that the others were not.
    func syncPartly(_ random: inout SplitMix) {
        if synced.count < content.count { Self.resize(&synced, to: content.count) }
        for sector in dirty.sorted() where random.next() % 2 == 0 {
            Self.copySector(sector, from: content, to: &synced)
        }
        dirty.removeAll(keepingCapacity: true)
    }

    /// What the kernel holds as clean is read from the disk again.
    func dropCleanPages() {
        var fresh = synced
        Self.resize(&fresh, to: content.count)
        for sector in dirty { Self.copySector(sector, from: content, to: &fresh) }
        content = fresh
    }

    /// The power goes: sector by sector the disk has what was synced, or what was written since, or now and then rubbish. Returns whether anything that
    /// was written is not there.
    func lose(_ random: inout SplitMix) -> Bool {
        guard !dirty.isEmpty || content.count != synced.count else {
            content = synced
            return false
        }
        var survived = synced
        if content.count != synced.count, random.next() % 2 == 0 { Self.resize(&survived, to: content.count) }
        for sector in dirty.sorted() {
            switch random.next() % 16 {
            case 0..<8: Self.copySector(sector, from: content, to: &survived)
            case 8: Self.garble(sector, of: &survived, with: UInt8(truncatingIfNeeded: random.next()))
            case 9: Self.copySector(sector, from: content, to: &survived, bytes: Self.sectorBytes / 2)
            default: break
            }
        }
        let hasLost = survived != content
        settle(survived)
        return hasLost
    }

    /// The power goes: what was synced stays, and of what was appended since the first `keeping` bytes.
    func lose(keeping: Int) {
        settle(synced + content.dropFirst(synced.count).prefix(keeping))
    }

    /// Makes `bytes` what is seen and what is on the disk.
    func settle(_ bytes: [UInt8]) {
        content = bytes
        synced = bytes
        dirty.removeAll(keepingCapacity: true)
    }

    private static func put(_ bytes: UnsafeRawBufferPointer, at offset: Int, in content: inout [UInt8]) {
        if content.count < offset + bytes.count { resize(&content, to: offset + bytes.count) }
        content.withUnsafeMutableBytes { target in
            UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + bytes.count]).copyMemory(from: bytes)
        }
    }

    private static func resize(_ content: inout [UInt8], to size: Int) {
        if size < content.count {
            content.removeLast(content.count - size)
        } else if size > content.count {
            content += [UInt8](repeating: 0, count: size - content.count)
        }
    }

    /// Makes a sector of `target` what it is in `source`, as far as both have it.
    private static func copySector(
        _ sector: Int,
        from source: [UInt8],
        to target: inout [UInt8],
        bytes: Int = sectorBytes
    ) {
        let start = sector * sectorBytes
        let end = min(start + bytes, source.count, target.count)
        guard start < end else { return }
        source.withUnsafeBytes { put(UnsafeRawBufferPointer(rebasing: $0[start..<end]), at: start, in: &target) }
    }

    private static func garble(_ sector: Int, of content: inout [UInt8], with byte: UInt8) {
        let start = sector * sectorBytes
        let end = min(start + sectorBytes, content.count)
        for place in stride(from: start, to: end, by: 1) { content[place] = byte }
    }
}
