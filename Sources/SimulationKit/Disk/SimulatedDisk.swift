// A file system in memory that knows what was synced. The fault model:
//
// - A power cut keeps, sector by sector (512 bytes), the synced content or the one written since, and now and then rubbish in a
//   sector that was being written. A file's size is that of the last sync or the present one.
// - Names, of files and of directories, change in order: of the changes of a directory since its last sync a power cut keeps some first ones. A
//   rename from one directory into another lasts in both or in neither.
// - A failed write may have written any first part. A failed sync may have made any of the written sectors lasting and forgets that the others
//   were ever written: they are read back until the file is opened for writing anew, and are gone after that.
// - A full disk refuses what would grow a file; a write into reserved space needs none.
// - The end of the process keeps everything written, on the disk or on its way there.
// - The fuse makes the machine stop at a chosen call that changes something: that call and all later ones fail.
//
// One thread at a time.
package import SegmentedLog

package final class SimulatedDisk: FileSystem, @unchecked Sendable {
    // Sendable because a world, or a test, uses it on one thread.

    /// Chances in 1000 that a call fails, by kind.
    package struct Failures: Hashable, Sendable {
        package var reads = 0
        package var writes = 0
        package var syncs = 0
        package var allocations = 0
        /// Creating, renaming, removing, and syncing a directory.
        package var names = 0

        package init() {}
    }

    package let fuse: Fuse
    package var failures = Failures()
    /// Bytes that all files together may take; nil for a disk that does not fill up.
    package var capacity: Int?
    package private(set) var syncs = 0
    /// Told of each call before it does anything.
    package var beforeCall: ((DiskCall, _ path: String) -> Void)?
    /// Told what became of a call, if it is set.
    package var afterCall: ((DiskCall, _ path: String, _ detail: String, FileFault?) -> Void)?
    /// Nothing fails, stops, or is told: somebody looks who is not part of the story.
    package var isBystanders = false

    private let root = DiskDirectory()
    private var resolved: [String: DiskDirectory] = [:]
    private var failing: [DiskCall: Int] = [:]
    private(set) var generation = 0
    private(set) var random: SplitMix

    package init(seed: UInt64, fuse: Fuse = Fuse()) {
        random = SplitMix(seed: seed)
        self.fuse = fuse
    }

    /// The next `count` calls of this kind fail.
    package func fail(_ call: DiskCall, _ count: Int = 1) {
        failing[call] = count
    }

    // MARK: Stops

    /// What a power cut took away.
    package struct Loss: Hashable, Sendable {
        package var files = 0
        package var directories = 0
    }

    /// The power goes and comes back.
    @discardableResult
    package func powerCut() -> Loss {
        var loss = Loss()
        visit { directory in
            if directory.lose(&random) { loss.directories += 1 }
        } file: { node in
            if node.lose(&random) { loss.files += 1 }
        }
        restart()
        return loss
    }

    /// The power goes and takes everything that was not synced, but for the first `keeping` bytes that each file has grown by.
    package func powerCut(keeping: Int) {
        visit {
            $0.loseAll()
        } file: {
            $0.lose(keeping: keeping)
        }
        restart()
    }

    /// The process ends; the machine goes on.
    package func processEnd() {
        restart()
    }

    private func restart() {
        generation += 1
        resolved.removeAll(keepingCapacity: true)
        fuse.replace()
    }

    /// Every directory before what is in it, in the order of the names.
    private func visit(_ directory: (DiskDirectory) -> Void, file: (DiskNode) -> Void) {
        var open = [root]
        while let next = open.popLast() {
            directory(next)
            for name in next.names.keys.sorted() {
                switch next[name] {
                case .file(let node): file(node)
                case .directory(let child): open.append(child)
                case nil: break
                }
            }
        }
    }

    // MARK: Calls

    /// Every call passes here first.
    func begin(_ call: DiskCall, _ path: String, changes: Bool) throws(FileFault) -> Bool {
        guard !isBystanders else { return false }
        beforeCall?(call, path)
        if let left = failing[call], left > 0 {
            failing[call] = left - 1
            throw fault(call, path, 5, "input/output error")
        }
        if changes {
            switch fuse.pass() {
            case .passes: break
            case .blows: return true
            case .blown: throw fault(call, path, 5, "the machine has stopped")
            }
        } else if fuse.isBlown {
            throw fault(call, path, 5, "the machine has stopped")
        }
        let chance =
            switch call {
            case .read: failures.reads
            case .write: failures.writes
            case .sync: failures.syncs
            case .allocate: failures.allocations
            case .open: changes ? failures.names : 0
            case .rename, .remove, .syncDirectory: failures.names
            case .createDirectory, .list, .truncate, .size: 0
            }
        if chance > 0, random.chance(chance) {
            throw call == .allocate
                ? fault(call, path, 28, "no space left on device") : fault(call, path, 5, "input/output error")
        }
        return false
    }

    /// A call that does nothing if the machine stops at it.
    private func whole(_ call: DiskCall, _ path: String, changes: Bool = true) throws(FileFault) {
        if try begin(call, path, changes: changes) { throw fault(call, path, 5, "the machine stops here") }
    }

    func fault(_ call: DiskCall, _ path: String, _ code: Int32, _ message: String) -> FileFault {
        let fault = FileFault(operation: call.rawValue, path: path, code: code, message: message)
        if !isBystanders { afterCall?(call, path, "", fault) }
        return fault
    }

    func end(_ call: DiskCall, _ path: String, _ detail: @autoclosure () -> String = "") {
        if !isBystanders, let afterCall { afterCall(call, path, detail(), nil) }
    }

    func draw() -> UInt64 { random.next() }

    func syncPartly(_ node: DiskNode) { node.syncPartly(&random) }

    func countSync() { syncs += 1 }

    /// Room for `bytes` more.
    func hasRoom(for bytes: Int) -> Bool { capacity.map { usedBytes + bytes <= $0 } ?? true }

    package var usedBytes: Int {
        var bytes = 0
        visit { _ in
        } file: {
            bytes += $0.content.count
        }
        return bytes
    }

    // MARK: Names

    private static func split(_ path: String) -> (directory: String, name: String) {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("", path) }
        return (String(path[..<slash]), String(path[path.utf8.index(after: slash)...]))
    }

    private func directory(_ path: String) -> DiskDirectory? {
        if path.isEmpty || path == "." || path == "/" { return root }
        if let known = resolved[path] { return known }
        let (parent, name) = Self.split(path)
        guard case .directory(let found)? = directory(parent)?[name] else { return nil }
        resolved[path] = found
        return found
    }

    private func parent(of path: String, _ call: DiskCall) throws(FileFault) -> (DiskDirectory, name: String) {
        let (folder, name) = Self.split(path)
        guard let directory = directory(folder) else { throw fault(call, path, 2, "no such directory") }
        return (directory, name)
    }

    package func createDirectory(_ path: String) throws(FileFault) {
        let (parent, name) = try parent(of: path, .createDirectory)
        if parent[name] == nil {
            try whole(.createDirectory, path)
            parent.set(name, .directory(DiskDirectory()))
            end(.createDirectory, path)
        }
        try syncDirectory(Self.split(path).directory)
    }

    package func list(_ path: String) throws(FileFault) -> [String] {
        try whole(.list, path, changes: false)
        guard let directory = directory(path) else { throw fault(.list, path, 2, "no such directory") }
        return directory.names.keys.sorted()
    }

    package func open(_ path: String, _ mode: OpenMode) throws(FileFault) -> any File {
        try whole(.open, path, changes: mode == .create)
        let (directory, name) = try parent(of: path, .open)
        if mode == .create {
            guard directory[name] == nil else { throw fault(.open, path, 17, "it exists") }
            let node = DiskNode()
            directory.set(name, .file(node))
            end(.open, path, "new")
            return SimulatedFile(disk: self, node: node, path: path)
        }
        guard case .file(let node)? = directory[name] else { throw fault(.open, path, 2, "no such file") }
        if mode == .readWrite { node.dropCleanPages() }
        return SimulatedFile(disk: self, node: node, path: path)
    }

    package func rename(_ path: String, to newPath: String) throws(FileFault) {
        try whole(.rename, path)
        let (directory, name) = try parent(of: path, .rename)
        let (newDirectory, newName) = try parent(of: newPath, .rename)
        guard let entry = directory[name] else { throw fault(.rename, path, 2, "no such file") }
        if case .directory = entry { resolved.removeAll(keepingCapacity: true) }
        // Within one directory the order of its changes is all there is to say.
        let move = directory === newDirectory ? nil : DiskDirectory.Move()
        directory.set(name, nil, move)
        newDirectory.set(newName, entry, move)
        end(.rename, path, "to \(newPath)")
    }

    package func remove(_ path: String) throws(FileFault) {
        try whole(.remove, path)
        let (directory, name) = try parent(of: path, .remove)
        switch directory[name] {
        case nil: throw fault(.remove, path, 2, "no such file")
        case .directory(let child):
            guard child.names.isEmpty else { throw fault(.remove, path, 39, "directory not empty") }
            resolved[path] = nil
        case .file: break
        }
        directory.set(name, nil)
        end(.remove, path)
    }

    package func syncDirectory(_ path: String) throws(FileFault) {
        try whole(.syncDirectory, path)
        guard let directory = directory(path) else { throw fault(.syncDirectory, path, 2, "no such directory") }
        directory.sync()
        end(.syncDirectory, path)
    }

    package func availableBytes(at path: String) throws(FileFault) -> Int {
        capacity.map { max(0, $0 - usedBytes) } ?? 1 << 40
    }

    // MARK: For those who damage or inspect on purpose

    /// Everything there is becomes lasting.
    package func settle() {
        visit {
            $0.sync()
        } file: {
            $0.settle($0.content)
        }
    }

    /// What each write to a file covered, in their order.
    package func written(_ path: String) -> [Range<Int>] {
        let (folder, name) = Self.split(path)
        guard case .file(let node)? = directory(folder)?[name] else { return [] }
        return node.written
    }

    package func content(_ path: String) -> [UInt8] {
        let (folder, name) = Self.split(path)
        guard case .file(let node)? = directory(folder)?[name] else { return [] }
        return node.content
    }

    package func overwrite(_ path: String, with content: [UInt8]) {
        let (folder, name) = Self.split(path)
        guard case .file(let node)? = directory(folder)?[name] else { return }
        node.settle(content)
    }
}
