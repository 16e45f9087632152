package import Records

/// The paths of a queue directory, and its identity.
package struct QueueDirectory: Sendable {
    package let path: String

    package init(_ path: String) {
        self.path = path
    }

    package var layouts: String { path + "/layouts" }
    package var schemas: String { path + "/schemas" }
    package var lanes: String { path + "/lanes" }
    package var identity: String { path + "/IDENTITY" }

    package func lane(_ key: LaneKey) -> String { "\(lanes)/\(LaneFiles.directoryName(of: key))" }

    static let formatLine = "forebay-queue 1"

    /// Makes the directories that are missing, and sees that they last, and with them whatever a process before this one has named in them and not
    /// lived to sync: from here on what is found there is believed.
    package func create(on fileSystem: any FileSystem) throws(FileFault) {
        try fileSystem.createDirectory(path)
        for directory in [layouts, schemas, lanes] {
            try fileSystem.createDirectory(directory)
            try fileSystem.syncDirectory(directory)
        }
        try fileSystem.syncDirectory(path)
    }

    /// The queue id of the directory; nil if it has none yet.
    package func readIdentity(on fileSystem: any FileSystem) throws(LogFault) -> QueueID? {
        let content: [UInt8]?
        do throws(FileFault) {
            content = try DurableFile.read(identity, on: fileSystem)
        } catch {
            if error.isMissing { return nil }
            throw .file(error)
        }
        let lines = String(decoding: content ?? [], as: UTF8.self).split(
            separator: "\n",
            omittingEmptySubsequences: false
        )
        guard let first = lines.first, first.hasPrefix("forebay-queue ") else {
            throw .unreadable(path: identity, reason: "this is not the identity of a forebay queue")
        }
        guard first == Self.formatLine else {
            throw .unreadable(
                path: identity,
                reason: "found \"\(first)\", this version of forebay reads \"\(Self.formatLine)\""
            )
        }
        guard lines.count == 3, lines[2].isEmpty, let id = QueueID(lines[1]) else {
            throw .unreadable(path: identity, reason: "the second line is no queue id")
        }
        return id
    }

    /// The queue id of the directory, which is given a random one if it has none yet.
    package func settleIdentity(
        on fileSystem: any FileSystem,
        using generator: inout some RandomNumberGenerator
    ) throws(LogFault) -> QueueID {
        if let id = try readIdentity(on: fileSystem) { return id }
        let id = QueueID.random(using: &generator)
        do throws(FileFault) { try writeIdentity(id, on: fileSystem) } catch { throw .file(error) }
        return id
    }

    package func writeIdentity(_ id: QueueID, on fileSystem: any FileSystem) throws(FileFault) {
        try DurableFile.replace("IDENTITY", in: path, with: Array("\(Self.formatLine)\n\(id)\n".utf8), on: fileSystem)
    }

    /// The lanes that have a directory.
    package func laneKeys(on fileSystem: any FileSystem) throws(FileFault) -> [LaneKey] {
        try fileSystem.list(lanes).compactMap(LaneFiles.laneKey(ofDirectory:)).sorted {
            $0.queue == $1.queue ? $0.lane < $1.lane : $0.queue.description < $1.queue.description
        }
    }
}
