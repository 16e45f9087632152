import SegmentedLog

/// An open file of a ``SimulatedDisk``. It belongs to the life of the process that opened it.
final class SimulatedFile: File, @unchecked Sendable {
    // Sendable because a world, or a test, uses it on one thread.
    private let disk: SimulatedDisk
    private let node: DiskNode
    private let path: String
    private let generation: Int

    init(disk: SimulatedDisk, node: DiskNode, path: String) {
        self.disk = disk
        self.node = node
        self.path = path
        generation = disk.generation
    }

    private var isAlive: Bool { generation == disk.generation && !disk.fuse.isBlown }

    /// Returns whether the machine stops at this call.
    private func begin(_ call: DiskCall, changes: Bool = true) throws(FileFault) -> Bool {
        guard generation == disk.generation else {
            throw disk.fault(call, path, 9, "the file belongs to an earlier life")
        }
        return try disk.begin(call, path, changes: changes)
    }

    private func whole(_ call: DiskCall) throws(FileFault) {
        if try begin(call) { throw disk.fault(call, path, 5, "the machine stops here") }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileFault) -> Int {
        _ = try begin(.read, changes: false)
        let count = max(0, min(buffer.count, node.content.count - offset))
        if count > 0 {
            node.content.withUnsafeBytes {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count]))
            }
        }
        return count
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileFault) {
        let stops: Bool
        do throws(FileFault) {
            stops = try begin(.write)
        } catch {
            // A write that fails has written some first part, unless nobody is left who could.
            if isAlive { putPart(of: bytes, at: offset) }
            throw error
        }
        if stops {
            putPart(of: bytes, at: offset)
            throw disk.fault(.write, path, 5, "the machine stops here")
        }
        guard disk.hasRoom(for: max(0, offset + bytes.count - node.content.count)) else {
            throw disk.fault(.write, path, 28, "no space left on device")
        }
        node.put(bytes, at: offset)
        disk.end(.write, path, "\(bytes.count) bytes at \(offset)")
    }

    private func putPart(of bytes: UnsafeRawBufferPointer, at offset: Int) {
        let count = Int(disk.draw() % UInt64(bytes.count + 1))
        node.put(UnsafeRawBufferPointer(rebasing: bytes[..<count]), at: offset)
    }

    func allocate(_ size: Int) throws(FileFault) {
        try whole(.allocate)
        guard disk.hasRoom(for: size - node.content.count) else {
            throw disk.fault(.allocate, path, 28, "no space left on device")
        }
        if node.content.count < size { node.resize(to: size) }
        disk.end(.allocate, path, "\(size) bytes")
    }

    func truncate(_ size: Int) throws(FileFault) {
        try whole(.truncate)
        node.resize(to: size)
        disk.end(.truncate, path, "to \(size) bytes")
    }

    func sync() throws(FileFault) {
        do throws(FileFault) {
            try whole(.sync)
        } catch {
            if isAlive { disk.syncPartly(node) }
            throw error
        }
        disk.countSync()
        node.sync()
        disk.end(.sync, path)
    }

    func size() throws(FileFault) -> Int {
        _ = try begin(.size, changes: false)
        return node.content.count
    }
}
