import SegmentedLog
import Synchronization

/// A disk in memory that knows what was synced.
///
/// Fault model: a crash takes away everything that was not synced, or keeps a prefix of it; names last only after the directory's sync; a call can be
/// made to fail once, by the name of its operation, a write after any part of it was written; single bytes can be garbled.
final class LetterDisk: FileSystem {
    private struct Node {
        var bytes: [UInt8] = []
        var synced: [UInt8] = []
    }

    private struct Content {
        var nodes: [Int: Node] = [:]
        var names: [String: Int] = [:]
        var lastingNames: [String: Int] = [:]
        var next = 0
        var failing: [String: Int] = [:]
        var syncs = 0
    }

    private let content = Mutex(Content())

    /// The next `count` calls of the operation fail.
    func fail(_ operation: String, _ count: Int = 1) {
        content.withLock { $0.failing[operation] = count }
    }

    /// - Parameter keeping: bytes of each file beyond what was synced that survive.
    func crash(keeping: Int = 0) {
        content.withLock { content in
            content.names = content.lastingNames
            for (id, node) in content.nodes {
                var survived = node.synced
                let extra = node.bytes.dropFirst(node.synced.count).prefix(keeping)
                survived += extra
                content.nodes[id] = Node(bytes: survived, synced: survived)
            }
        }
    }

    var syncs: Int { content.withLock { $0.syncs } }
    var names: [String] { content.withLock { $0.names.keys.sorted() } }

    func bytes(_ path: String) -> [UInt8] {
        content.withLock { content in content.names[path].flatMap { content.nodes[$0]?.bytes } ?? [] }
    }

    func replace(_ path: String, _ change: (inout [UInt8]) -> Void) {
        content.withLock { content in
            guard let id = content.names[path], var node = content.nodes[id] else { return }
            change(&node.bytes)
            node.synced = node.bytes
            content.nodes[id] = node
        }
    }

    /// A copy with the same files.
    func copy() -> LetterDisk {
        let other = LetterDisk()
        let taken = content.withLock { content in content.names.mapValues { content.nodes[$0]?.bytes ?? [] } }
        for (name, bytes) in taken {
            other.content.withLock { content in
                content.nodes[content.next] = Node(bytes: bytes, synced: bytes)
                content.names[name] = content.next
                content.lastingNames[name] = content.next
                content.next += 1
            }
        }
        return other
    }

    private func check(_ operation: String, _ path: String) throws(FileFault) {
        let fails = content.withLock { content in
            guard let left = content.failing[operation], left > 0 else { return false }
            content.failing[operation] = left - 1
            return true
        }
        if fails { throw FileFault(operation: operation, path: path, code: 5, message: "Input/output error") }
    }

    func createDirectory(_ path: String) throws(FileFault) {}

    func list(_ path: String) throws(FileFault) -> [String] {
        names.filter { $0.hasPrefix(path + "/") }.map { String($0.dropFirst(path.count + 1)) }
    }

    func open(_ path: String, _ mode: OpenMode) throws(FileFault) -> any File {
        try check("open", path)
        let id: Int? = content.withLock { content in
            switch (mode, content.names[path]) {
            case (.create, nil):
                content.next += 1
                content.nodes[content.next] = Node()
                content.names[path] = content.next
                return content.next
            case (.create, _?): return nil
            case (.read, let id), (.readWrite, let id): return id
            }
        }
        guard let id else {
            throw FileFault(operation: "open", path: path, code: 2, message: "no such file, or it exists")
        }
        return Handle(disk: self, id: id, path: path)
    }

    func rename(_ path: String, to newPath: String) throws(FileFault) {
        try check("rename", path)
        content.withLock { $0.names[newPath] = $0.names.removeValue(forKey: path) }
    }

    func remove(_ path: String) throws(FileFault) {
        try check("remove", path)
        content.withLock { $0.names[path] = nil }
    }

    func syncDirectory(_ path: String) throws(FileFault) {
        try check("syncDirectory", path)
        content.withLock { $0.lastingNames = $0.names }
    }

    func availableBytes(at path: String) throws(FileFault) -> Int { .max }

    private final class Handle: File {
        private let disk: LetterDisk
        private let id: Int
        private let path: String

        init(disk: LetterDisk, id: Int, path: String) {
            self.disk = disk
            self.id = id
            self.path = path
        }

        private func change(_ body: (inout Node) -> Void) {
            disk.content.withLock { content in
                if var node = content.nodes[id] {
                    content.nodes[id] = nil
                    body(&node)
                    content.nodes[id] = node
                }
            }
        }

        func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileFault) -> Int {
            try disk.check("read", path)
            let bytes = disk.content.withLock { $0.nodes[id]?.bytes ?? [] }
            let count = max(0, min(buffer.count, bytes.count - offset))
            bytes.withUnsafeBytes { source in
                if count > 0 {
                    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[offset..<(offset + count)]))
                }
            }
            return count
        }

        func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileFault) {
            let copy = Array(bytes)
            func put(_ count: Int) {
                change { node in
                    if node.bytes.count < offset + count {
                        node.bytes += Array(repeating: 0, count: offset + count - node.bytes.count)
                    }
                    node.bytes.replaceSubrange(offset..<(offset + count), with: copy.prefix(count))
                }
            }
            do throws(FileFault) {
                try disk.check("write", path)
            } catch {
                put(copy.count / 2)
                throw error
            }
            put(copy.count)
        }

        func allocate(_ size: Int) throws(FileFault) {}

        func truncate(_ size: Int) throws(FileFault) {
            try disk.check("truncate", path)
            change { node in
                node.bytes = Array(node.bytes.prefix(size))
                node.synced = Array(node.synced.prefix(size))
            }
        }

        func sync() throws(FileFault) {
            try disk.check("fdatasync", path)
            change { $0.synced = $0.bytes }
            disk.content.withLock { $0.syncs += 1 }
        }

        func size() throws(FileFault) -> Int {
            disk.content.withLock { $0.nodes[id]?.bytes.count ?? 0 }
        }
    }
}
