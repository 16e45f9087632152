import CChecksum
import SegmentedLog

/// A file system with one of the faults of the disk in front of it.
final class PlantedDisk: FileSystem {
    private let disk: any FileSystem
    private let plant: Plant

    init(_ disk: any FileSystem, _ plant: Plant) {
        self.disk = disk
        self.plant = plant
    }

    func createDirectory(_ path: String) throws(FileFault) { try disk.createDirectory(path) }
    func list(_ path: String) throws(FileFault) -> [String] { try disk.list(path) }
    func rename(_ path: String, to newPath: String) throws(FileFault) { try disk.rename(path, to: newPath) }
    func remove(_ path: String) throws(FileFault) { try disk.remove(path) }
    func availableBytes(at path: String) throws(FileFault) -> Int { try disk.availableBytes(at: path) }

    func syncDirectory(_ path: String) throws(FileFault) {
        if plant != .noDirectorySync { try disk.syncDirectory(path) }
    }

    func open(_ path: String, _ mode: OpenMode) throws(FileFault) -> any File {
        let file = try disk.open(path, mode)
        return path.hasSuffix(".segment") || path.hasSuffix(".tmp") ? PlantedFile(file, plant) : file
    }
}

/// A segment file, or a spare that becomes one.
private final class PlantedFile: File, @unchecked Sendable {
    // Sendable because a world uses it on one thread.
    private let file: any File
    private let plant: Plant
    private var owesSync = false

    init(_ file: any File, _ plant: Plant) {
        self.file = file
        self.plant = plant
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileFault) {
        if owesSync {
            owesSync = false
            try file.sync()
        }
        try file.write(bytes, at: offset)
    }

    func sync() throws(FileFault) {
        switch plant {
        case .acknowledgeBeforeSync:
            owesSync = true
        case .retriedSync:
            do throws(FileFault) { try file.sync() } catch { try file.sync() }
        default:
            try file.sync()
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileFault) -> Int {
        let count = try file.read(into: buffer, at: offset)
        if plant == .tornTailAsData { believe(UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), offset) }
        return count
    }

    func allocate(_ size: Int) throws(FileFault) { try file.allocate(size) }
    func truncate(_ size: Int) throws(FileFault) { try file.truncate(size) }
    func size() throws(FileFault) -> Int { try file.size() }

    /// Makes the checksums of all blocks fit what is there. Layout of a block's header: "On-disk format".
    private func believe(_ bytes: UnsafeMutableRawBufferPointer, _ offset: Int) {
        guard let base = bytes.baseAddress else { return }
        let header = BlockHeader.byteCount
        var sector = Sector.roundUp(offset) - offset
        while sector + header <= bytes.count {
            var position = sector
            while position + header <= bytes.count,
                base.loadUnaligned(fromByteOffset: position, as: UInt32.self) == 0x4B4C_4246
            {
                let start = base + position
                let stored = Int(start.loadUnaligned(fromByteOffset: 80, as: UInt32.self))
                let keys = Int(start.loadUnaligned(fromByteOffset: 84, as: UInt32.self))
                let flags = start.loadUnaligned(fromByteOffset: 6, as: UInt16.self)
                guard keys + stored <= bytes.count - position - header else { break }
                start.storeBytes(
                    of: forebay_crc32c(0, start + header, keys + stored),
                    toByteOffset: 88,
                    as: UInt32.self
                )
                start.storeBytes(of: forebay_crc32c(0, start, 92), toByteOffset: 92, as: UInt32.self)
                position += header + keys + stored
                if flags & 2 != 0 { position = Sector.roundUp(offset + position) - offset }
            }
            sector = max(sector + Sector.byteCount, Sector.roundUp(offset + position) - offset)
        }
    }
}
