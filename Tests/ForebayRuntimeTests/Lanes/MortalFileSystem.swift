// A real file system under a process that can be killed at any of its calls: from a chosen call on nothing has an effect any more, though the threads of the process do not know it.
// What is left in the directory is what kill -9 there would have left.

import DurableQueue
import SegmentedLog
import Synchronization

final class MortalFileSystem: FileSystem {
    private struct Life {
        var calls = 0
        var last: Int?
        var isOver = false
    }

    private let files = POSIXFileSystem()
    private let life = Mutex(Life())

    /// Calls that have an effect, so far.
    var calls: Int { life.withLock { $0.calls } }
    var isDead: Bool { life.withLock { $0.isOver } }

    /// The life ends before that call, counted from now.
    func die(before call: Int) {
        life.withLock { $0.last = $0.calls + call }
    }

    fileprivate func effect<Value>(
        _ operation: String,
        _ path: String,
        _ body: () throws(FileFault) -> Value
    ) throws(FileFault) -> Value {
        let isAlive = life.withLock { life in
            life.calls += 1
            if life.calls == life.last { life.isOver = true }
            return !life.isOver
        }
        guard isAlive else {
            throw FileFault(operation: operation, path: path, code: 5, message: "the process is dead")
        }
        return try body()
    }

    func createDirectory(_ path: String) throws(FileFault) {
        try effect("mkdir", path) { () throws(FileFault) in try files.createDirectory(path) }
    }

    func list(_ path: String) throws(FileFault) -> [String] { try files.list(path) }

    func open(_ path: String, _ mode: OpenMode) throws(FileFault) -> any File {
        guard mode == .create else { return MortalFile(try files.open(path, mode), path, self) }
        return try effect("open", path) { () throws(FileFault) in MortalFile(try files.open(path, mode), path, self) }
    }

    func rename(_ path: String, to newPath: String) throws(FileFault) {
        try effect("rename", path) { () throws(FileFault) in try files.rename(path, to: newPath) }
    }

    func remove(_ path: String) throws(FileFault) {
        try effect("unlink", path) { () throws(FileFault) in try files.remove(path) }
    }

    func syncDirectory(_ path: String) throws(FileFault) {
        try effect("fsync", path) { () throws(FileFault) in try files.syncDirectory(path) }
    }

    func availableBytes(at path: String) throws(FileFault) -> Int { try files.availableBytes(at: path) }
}

private final class MortalFile: File {
    private let file: any File
    private let path: String
    private let owner: MortalFileSystem

    init(_ file: any File, _ path: String, _ owner: MortalFileSystem) {
        self.file = file
        self.path = path
        self.owner = owner
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileFault) -> Int {
        try file.read(into: buffer, at: offset)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileFault) {
        try owner.effect("write", path) { () throws(FileFault) in try file.write(bytes, at: offset) }
    }

    func allocate(_ size: Int) throws(FileFault) {
        try owner.effect("fallocate", path) { () throws(FileFault) in try file.allocate(size) }
    }

    func truncate(_ size: Int) throws(FileFault) {
        try owner.effect("ftruncate", path) { () throws(FileFault) in try file.truncate(size) }
    }

    func sync() throws(FileFault) {
        try owner.effect("fdatasync", path) { () throws(FileFault) in try file.sync() }
    }

    func size() throws(FileFault) -> Int { try file.size() }
}
