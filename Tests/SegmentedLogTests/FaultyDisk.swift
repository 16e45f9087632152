// A file system in memory that knows what was synced. The fault model:
//
// - A power cut keeps, sector by sector (512 bytes), the synced content or the one written since, and now and then rubbish in a
//   sector that was being written. A file's size is that of the last sync or the present one.
// - Names change in order: of the changes of a directory since its last sync a power cut keeps some first ones.
// - A failed write may have written any of its sectors. A failed sync may have made any of the written sectors lasting and forgets that the others
//   were ever written: they are read back until the file is opened for writing anew, and are gone after that.
// - The end of the process keeps everything written, on the disk or on its way there.
// - `crashAfter` makes the machine stop at the n-th call that changes something: that call and all later ones throw.
//
// One thread at a time.
import SegmentedLog

final class FaultyDisk: FileSystem, @unchecked Sendable {
    // Sendable because a test uses it on one thread.
    static let sector = 512

    final class Node {
        var content: [UInt8] = []
        var synced: [UInt8] = []
        /// Sectors written since the last sync.
        var dirty: Set<Int> = []
        var written: [Range<Int>] = []

        /// Writes bytes at a place, extending the file with zeros if need be.
        static func put(_ bytes: UnsafeRawBufferPointer, at offset: Int, in content: inout [UInt8]) {
            guard !bytes.isEmpty else { return }
            if content.count < offset + bytes.count { resize(&content, to: offset + bytes.count) }
            content.withUnsafeMutableBytes { target in
                UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + bytes.count]).copyMemory(from: bytes)
            }
        }

        static func resize(_ content: inout [UInt8], to size: Int) {
            if size < content.count {
                content.removeLast(content.count - size)
            } else {
                content += [UInt8](repeating: 0, count: size - content.count)
            }
        }

        /// Makes a sector of `target` what it is in `source`, as far as both have it.
        static func copySector(_ sector: Int, from source: [UInt8], to target: inout [UInt8]) {
            let start = sector * FaultyDisk.sector
            let end = min(start + FaultyDisk.sector, source.count, target.count)
            guard start < end else { return }
            source.withUnsafeBytes { put(UnsafeRawBufferPointer(rebasing: $0[start..<end]), at: start, in: &target) }
        }
    }

    private enum Change {
        case link(String, Node)
        case unlink(String)
    }

    private final class Directory {
        var names: [String: Node] = [:]
        var synced: [String: Node] = [:]
        var changes: [Change] = []
    }

    private var directories: [String: Directory] = [:]
    fileprivate var generation = 0
    fileprivate var random: SplitMix
    /// Calls that change something, left before the machine stops; nil: it goes on.
    var crashAfter: Int?
    private(set) var hasCrashed = false
    /// Chances in 1000 that a call fails.
    var writeFailures = 0
    var syncFailures = 0
    var allocationFailures = 0
    var available = 1 << 40
    private(set) var syncs = 0

    init(seed: UInt64) {
        random = SplitMix(seed: seed)
    }

    func chance(_ perMille: Int) -> Bool {
        perMille > 0 && Int(random.next() % 1000) < perMille
    }

    /// Every call that changes something passes here.
    fileprivate func change(_ operation: String, _ path: String) throws(FileFault) {
        if let left = crashAfter {
            if left <= 0 { hasCrashed = true }
            crashAfter = left - 1
        }
        if hasCrashed { throw FileFault(operation: operation, path: path, code: 5, message: "the machine has stopped") }
    }

    private func directory(_ path: String) throws(FileFault) -> Directory {
        guard let directory = directories[path] else {
            throw FileFault(operation: "opendir", path: path, code: 2, message: "no such directory")
        }
        return directory
    }

    private func split(_ path: String) -> (directory: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return ("", path) }
        return (String(path[..<slash]), String(path[path.index(after: slash)...]))
    }

    func createDirectory(_ path: String) throws(FileFault) {
        if directories[path] == nil { directories[path] = Directory() }
    }

    func list(_ path: String) throws(FileFault) -> [String] {
        Array(try directory(path).names.keys).sorted()
    }

    func open(_ path: String, _ mode: OpenMode) throws(FileFault) -> any File {
        let (folder, name) = split(path)
        let directory = try directory(folder)
        if mode == .create {
            try change("open", path)
            guard directory.names[name] == nil else {
                throw FileFault(operation: "open", path: path, code: 17, message: "it exists")
            }
            let node = Node()
            directory.names[name] = node
            directory.changes.append(.link(name, node))
            return FaultyFile(disk: self, node: node, path: path)
        }
        guard let node = directory.names[name] else {
            throw FileFault(operation: "open", path: path, code: 2, message: "no such file")
        }
        if mode == .readWrite { dropCleanPages(node) }
        return FaultyFile(disk: self, node: node, path: path)
    }

    /// What the kernel holds as clean is read from the disk again.
    private func dropCleanPages(_ node: Node) {
        let size = node.content.count
        var content = node.synced
        Node.resize(&content, to: size)
        for sector in node.dirty { Node.copySector(sector, from: node.content, to: &content) }
        node.content = content
    }

    func rename(_ path: String, to newPath: String) throws(FileFault) {
        try change("rename", path)
        let (folder, name) = split(path)
        let (newFolder, newName) = split(newPath)
        let directory = try directory(folder)
        let newDirectory = try self.directory(newFolder)
        guard let node = directory.names.removeValue(forKey: name) else {
            throw FileFault(operation: "rename", path: path, code: 2, message: "no such file")
        }
        newDirectory.names[newName] = node
        directory.changes.append(.unlink(name))
        newDirectory.changes.append(.link(newName, node))
    }

    func remove(_ path: String) throws(FileFault) {
        try change("remove", path)
        let (folder, name) = split(path)
        let directory = try directory(folder)
        guard directory.names.removeValue(forKey: name) != nil else {
            throw FileFault(operation: "remove", path: path, code: 2, message: "no such file")
        }
        directory.changes.append(.unlink(name))
    }

    func syncDirectory(_ path: String) throws(FileFault) {
        try change("fsync", path)
        let directory = try directory(path)
        directory.synced = directory.names
        directory.changes = []
    }

    func availableBytes(at path: String) throws(FileFault) -> Int { available }

    /// The power goes and comes back.
    func powerCut() {
        for path in directories.keys.sorted() {
            guard let directory = directories[path] else { continue }
            let kept = directory.changes.isEmpty ? 0 : Int(random.next() % UInt64(directory.changes.count + 1))
            for change in directory.changes[..<kept] {
                switch change {
                case .link(let name, let node): directory.synced[name] = node
                case .unlink(let name): directory.synced[name] = nil
                }
            }
            directory.names = directory.synced
            directory.changes = []
            for name in directory.names.keys.sorted() {
                if let node = directory.names[name] { lose(node) }
            }
        }
        restart()
    }

    /// The process ends; the machine goes on.
    func processEnd() {
        restart()
    }

    private func restart() {
        generation += 1
        crashAfter = nil
        hasCrashed = false
    }

    private func lose(_ node: Node) {
        var content = node.synced
        if node.content.count != node.synced.count, random.next() % 2 == 0 {
            Node.resize(&content, to: node.content.count)
        }
        for sector in node.dirty.sorted() {
            switch random.next() % 16 {
            case 0..<8: Node.copySector(sector, from: node.content, to: &content)
            case 8: Node.copySector(sector, from: rubbish(content.count), to: &content)
            default: break
            }
        }
        node.content = content
        node.synced = content
        node.dirty = []
    }

    private func rubbish(_ count: Int) -> [UInt8] {
        let word = random.next()
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            buffer.initialize(repeating: UInt8(truncatingIfNeeded: word))
            initialized = count
        }
    }

    fileprivate func sync(_ node: Node, _ path: String) throws(FileFault) {
        try change("fdatasync", path)
        syncs += 1
        guard chance(syncFailures) else {
            if node.synced.count == node.content.count {
                for sector in node.dirty { Node.copySector(sector, from: node.content, to: &node.synced) }
            } else {
                node.synced = node.content
            }
            node.dirty = []
            return
        }
        if node.synced.count < node.content.count { Node.resize(&node.synced, to: node.content.count) }
        for sector in node.dirty.sorted() where random.next() % 2 == 0 {
            Node.copySector(sector, from: node.content, to: &node.synced)
        }
        node.dirty = []
        throw FileFault(operation: "fdatasync", path: path, code: 5, message: "input/output error")
    }

    // Direct access for tests that damage something on purpose.

    /// What each write to a file covered, in their order.
    func written(_ path: String) -> [Range<Int>] {
        let (directory, name) = split(path)
        return directories[directory]?.names[name]?.written ?? []
    }

    func content(_ path: String) -> [UInt8] {
        let (folder, name) = split(path)
        return directories[folder]?.names[name]?.content ?? []
    }

    func overwrite(_ path: String, with content: [UInt8]) {
        let (folder, name) = split(path)
        guard let node = directories[folder]?.names[name] else { return }
        node.content = content
        node.synced = content
        node.dirty = []
    }
}

private final class FaultyFile: File, @unchecked Sendable {
    // Sendable because a test uses it on one thread.
    private let disk: FaultyDisk
    private let node: FaultyDisk.Node
    private let path: String
    private let generation: Int

    init(disk: FaultyDisk, node: FaultyDisk.Node, path: String) {
        self.disk = disk
        self.node = node
        self.path = path
        generation = disk.generation
    }

    private func check(_ operation: String) throws(FileFault) {
        guard generation == disk.generation else {
            throw FileFault(operation: operation, path: path, code: 9, message: "the file belongs to an earlier life")
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileFault) -> Int {
        try check("read")
        let count = max(0, min(buffer.count, node.content.count - offset))
        if count > 0 {
            node.content.withUnsafeBytes {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count]))
            }
        }
        return count
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileFault) {
        try check("write")
        var fault: FileFault?
        do throws(FileFault) { try disk.change("write", path) } catch { fault = error }
        if fault == nil, disk.chance(disk.writeFailures) {
            fault = FileFault(operation: "write", path: path, code: 5, message: "input/output error")
        }
        // A write that fails, or that the machine stops in, has written some first part.
        let count = fault == nil ? bytes.count : Int(disk.random.next() % UInt64(bytes.count + 1))
        FaultyDisk.Node.put(UnsafeRawBufferPointer(rebasing: bytes[..<count]), at: offset, in: &node.content)
        if count > 0 {
            node.written.append(offset..<offset + count)
            for sector in offset / FaultyDisk.sector...(offset + count - 1) / FaultyDisk.sector {
                node.dirty.insert(sector)
            }
        }
        if let fault { throw fault }
    }

    func allocate(_ size: Int) throws(FileFault) {
        try check("allocate")
        try disk.change("allocate", path)
        if disk.chance(disk.allocationFailures) {
            throw FileFault(operation: "posix_fallocate", path: path, code: 28, message: "no space left")
        }
        if node.content.count < size { FaultyDisk.Node.resize(&node.content, to: size) }
    }

    func truncate(_ size: Int) throws(FileFault) {
        try check("truncate")
        try disk.change("truncate", path)
        FaultyDisk.Node.resize(&node.content, to: size)
    }

    func sync() throws(FileFault) {
        try check("fdatasync")
        try disk.sync(node, path)
    }

    func size() throws(FileFault) -> Int {
        try check("size")
        return node.content.count
    }
}

/// Reproducible random numbers (SplitMix64, public domain algorithm by S. Vigna).
struct SplitMix: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    mutating func below(_ bound: Int) -> Int {
        Int(next() % UInt64(bound))
    }
}
