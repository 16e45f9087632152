import Glibc
import SegmentedLog
import Synchronization

/// Files in memory, whose syncs cost nothing: what is left of an append is the processor's part.
final class MemoryFileSystem: FileSystem {
    private let files = Mutex<[String: MemoryFile]>([:])

    func createDirectory(_ path: String) {}

    func list(_ path: String) -> [String] {
        files.withLock { files in
            files.keys.filter { $0.hasPrefix(path + "/") }.map { String($0.dropFirst(path.count + 1)) }
                .filter { !$0.contains("/") }
        }
    }

    func open(_ path: String, _ mode: OpenMode) throws(FileFault) -> any File {
        let file = files.withLock { files -> MemoryFile? in
            if mode == .create {
                guard files[path] == nil else { return nil }
                files[path] = MemoryFile()
            }
            return files[path]
        }
        guard let file else {
            let code = mode == .create ? EEXIST : ENOENT
            throw FileFault(operation: "open", path: path, code: code, message: "memory")
        }
        return file
    }

    func rename(_ path: String, to newPath: String) {
        files.withLock { $0[newPath] = $0.removeValue(forKey: path) }
    }

    func remove(_ path: String) {
        files.withLock { _ = $0.removeValue(forKey: path) }
    }

    func syncDirectory(_ path: String) {}

    func availableBytes(at path: String) -> Int { 1 << 40 }
}

/// Room for a segment; a benchmark reads and writes with one thread.
final class MemoryFile: File, @unchecked Sendable {
    // Sendable because one thread at a time uses it.
    private static let capacity = 64 << 20
    private let bytes: UnsafeMutableRawBufferPointer
    private var count = 0

    init() {
        // Fresh pages are zero, and there only once they are touched.
        bytes = UnsafeMutableRawBufferPointer(start: calloc(Self.capacity, 1), count: Self.capacity)
    }

    deinit {
        free(bytes.baseAddress)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        let length = max(0, min(buffer.count, count - offset))
        if length > 0 { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + length)])) }
        return length
    }

    func write(_ source: UnsafeRawBufferPointer, at offset: Int) {
        UnsafeMutableRawBufferPointer(rebasing: bytes[offset...]).copyMemory(from: source)
        count = max(count, offset + source.count)
    }

    func allocate(_ size: Int) {
        precondition(size <= Self.capacity, "a segment is no larger than \(Self.capacity) bytes here")
        count = max(count, size)
    }

    func truncate(_ size: Int) {
        allocate(size)
        count = size
    }

    func sync() {}

    func size() -> Int { count }
}
