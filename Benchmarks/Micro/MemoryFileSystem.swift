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

final class MemoryFile: File {
    private let bytes = Mutex<[UInt8]>([])

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        bytes.withLock { bytes in
            let count = max(0, min(buffer.count, bytes.count - offset))
            if count > 0 { buffer.copyBytes(from: bytes[offset..<(offset + count)]) }
            return count
        }
    }

    func write(_ source: UnsafeRawBufferPointer, at offset: Int) {
        bytes.withLock { bytes in
            Self.extend(&bytes, to: offset + source.count)
            bytes.withUnsafeMutableBytes { $0[offset...].copyBytes(from: source) }
        }
    }

    func allocate(_ size: Int) {
        bytes.withLock { Self.extend(&$0, to: size) }
    }

    func truncate(_ size: Int) {
        bytes.withLock { bytes in
            Self.extend(&bytes, to: size)
            bytes.removeLast(bytes.count - size)
        }
    }

    func sync() {}

    func size() -> Int { bytes.withLock { $0.count } }

    private static func extend(_ bytes: inout [UInt8], to size: Int) {
        if bytes.count < size { bytes += repeatElement(0, count: size - bytes.count) }
    }
}
