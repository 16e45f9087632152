import SegmentedLog

/// A file system in memory that never fails, for one thread.
final class MemoryFiles: FileSystem, @unchecked Sendable {
    // Sendable because a run of a fuzz target uses it on its own thread.

    final class Content {
        var bytes: [UInt8]

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
        }
    }

    private var directories: Set<String> = []
    private var files: [String: Content] = [:]

    func put(_ bytes: [UInt8], at path: String) {
        files[path] = Content(bytes)
    }

    func bytes(at path: String) -> [UInt8]? { files[path]?.bytes }

    func createDirectory(_ path: String) throws(FileFault) {
        directories.insert(path)
    }

    func list(_ path: String) throws(FileFault) -> [String] {
        guard directories.contains(path) else { throw Self.missing("opendir", path) }
        let prefix = path + "/"
        return (Array(files.keys) + directories).filter { $0.hasPrefix(prefix) }
            .map { $0.dropFirst(prefix.count) }.filter { !$0.contains("/") }.map(String.init).sorted()
    }

    func open(_ path: String, _ mode: OpenMode) throws(FileFault) -> any File {
        switch (mode, files[path]) {
        case (.read, let content?), (.readWrite, let content?): return MemoryFile(content)
        case (.read, nil), (.readWrite, nil): throw Self.missing("open", path)
        case (.create, nil):
            let content = Content([])
            files[path] = content
            return MemoryFile(content)
        case (.create, _?):
            throw FileFault(operation: "open", path: path, code: 17, message: "file exists")
        }
    }

    func rename(_ path: String, to newPath: String) throws(FileFault) {
        guard let content = files.removeValue(forKey: path) else { throw Self.missing("rename", path) }
        files[newPath] = content
    }

    func remove(_ path: String) throws(FileFault) {
        guard files.removeValue(forKey: path) != nil else { throw Self.missing("unlink", path) }
    }

    func syncDirectory(_ path: String) throws(FileFault) {}

    func availableBytes(at path: String) throws(FileFault) -> Int { 1 << 40 }

    private static func missing(_ operation: String, _ path: String) -> FileFault {
        FileFault(operation: operation, path: path, code: 2, message: "no such file or directory")
    }
}

private final class MemoryFile: File, @unchecked Sendable {
    // Sendable for the same reason as the file system that it belongs to.
    private let content: MemoryFiles.Content

    init(_ content: MemoryFiles.Content) {
        self.content = content
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileFault) -> Int {
        let count = max(0, min(buffer.count, content.bytes.count - offset))
        if count > 0 { buffer.copyBytes(from: content.bytes[offset..<offset + count]) }
        return count
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileFault) {
        try extend(to: offset + bytes.count)
        content.bytes.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }

    func allocate(_ size: Int) throws(FileFault) {
        try extend(to: size)
    }

    func truncate(_ size: Int) throws(FileFault) {
        try extend(to: size)
        content.bytes.removeSubrange(size...)
    }

    func sync() throws(FileFault) {}

    func size() throws(FileFault) -> Int { content.bytes.count }

    private func extend(to size: Int) throws(FileFault) {
        guard size <= 1 << 24 else {
            throw FileFault(operation: "write", path: "", code: 27, message: "file too large")
        }
        if content.bytes.count < size {
            content.bytes.append(contentsOf: repeatElement(0, count: size - content.bytes.count))
        }
    }
}
