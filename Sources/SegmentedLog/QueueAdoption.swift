package import Records

/// Why a queue directory is not taken over.
package enum AdoptionFault: Error, Hashable, Sendable, CustomStringConvertible {
    case log(LogFault)
    /// Nothing was changed.
    case refused(String)

    package var description: String {
        switch self {
        case .log(let fault): fault.description
        case .refused(let reason): reason
        }
    }
}

/// One queue directory takes over another, whose proxy is dead. Order of the steps, and what a crash between them leaves: <doc:Adoption>.
///
/// The caller holds the locks: of both directories for the order, of the adopter's for what follows.
package struct QueueAdoption: Sendable {
    package let source: QueueDirectory
    package let directory: QueueDirectory
    private let files: any FileSystem

    private static let adopted = "ADOPTED"
    private static let adopting = "ADOPTING"
    /// What is known of where a lane's own rows end.
    private static let marks = ["OPENED.", "REUSED."]

    /// - Parameter source: its path has to stay the same until the adoption is complete: an absolute one.
    package init(of source: QueueDirectory, by directory: QueueDirectory, on files: any FileSystem) {
        self.source = source
        self.directory = directory
        self.files = files
    }

    // MARK: What the directories say

    /// The queue that has taken the directory over; nil if none has.
    package static func adopter(of directory: QueueDirectory, on files: any FileSystem) throws(LogFault) -> QueueID? {
        guard let text = try read(adopted, in: directory, on: files) else { return nil }
        guard let id = QueueID(text[...]) else {
            throw .unreadable(path: "\(directory.path)/\(adopted)", reason: "its second line is no queue id")
        }
        return id
    }

    /// The adoption that the directory is in the middle of; nil if there is none.
    package static func pending(
        in directory: QueueDirectory,
        on files: any FileSystem
    ) throws(LogFault) -> QueueAdoption? {
        try read(adopting, in: directory, on: files).map {
            QueueAdoption(of: QueueDirectory($0), by: directory, on: files)
        }
    }

    /// The second line of a file whose first one names its form; nil if there is no such file.
    private static func read(
        _ name: String,
        in directory: QueueDirectory,
        on files: any FileSystem
    ) throws(LogFault) -> String? {
        let path = "\(directory.path)/\(name)"
        let bytes: [UInt8]?
        do throws(FileFault) {
            bytes = try DurableFile.read(path, on: files)
        } catch {
            if error.isMissing { return nil }
            throw .file(error)
        }
        let lines = String(decoding: bytes ?? [], as: UTF8.self).split(
            separator: "\n",
            omittingEmptySubsequences: false
        )
        guard lines.count == 3, lines[0] == formatLine(name), !lines[1].isEmpty, lines[2].isEmpty else {
            throw .unreadable(path: path, reason: "expected \"\(formatLine(name))\" and another line")
        }
        return String(lines[1])
    }

    private static func formatLine(_ name: String) -> String { "forebay-\(name.lowercased()) 1" }

    private static func write(
        _ name: String,
        _ line: String,
        in directory: QueueDirectory,
        on files: any FileSystem
    ) throws(FileFault) {
        try DurableFile.replace(name, in: directory.path, with: Array("\(formatLine(name))\n\(line)\n".utf8), on: files)
    }

    // MARK: The order

    /// Closes the source for good, and orders the adopter to bring over what is in it: steps 1 to 3. Changes nothing if it refuses.
    ///
    /// - Parameter id: the adopter's.
    package func order(as id: QueueID) throws(AdoptionFault) {
        try check(id)
        do throws(LogFault) {
            try Self.onDisk { () throws(FileFault) in try Self.write(Self.adopted, "\(id)", in: source, on: files) }
            try bringLayouts()
            try Self.onDisk { () throws(FileFault) in
                try Self.write(Self.adopting, source.path, in: directory, on: files)
            }
        } catch {
            throw .log(error)
        }
    }

    private func check(_ id: QueueID) throws(AdoptionFault) {
        let dead: QueueID?
        let adopter: QueueID?
        let own: QueueAdoption?
        let third: QueueAdoption?
        let closed: QueueID?
        let both: Set<LaneKey>
        do throws(LogFault) {
            dead = try source.readIdentity(on: files)
            adopter = try Self.adopter(of: source, on: files)
            own = try Self.pending(in: directory, on: files)
            third = try Self.pending(in: source, on: files)
            closed = try Self.adopter(of: directory, on: files)
            both = try Self.onDisk { () throws(FileFault) in
                Set(try source.laneKeys(on: files)).intersection(try directory.laneKeys(on: files))
            }
        } catch {
            throw .log(error)
        }
        guard let dead else { throw .refused("\(source.path): there is no queue here (no file IDENTITY)") }
        if dead == id { throw .refused("\(source.path) has the id of this queue: one of them is a copy of the other") }
        if let adopter, adopter != id { throw .refused("\(source.path) was taken over by the queue \(adopter)") }
        if let closed { throw .refused("\(directory.path) itself was taken over by the queue \(closed)") }
        if let own, own.source.path != source.path {
            throw .refused("\(directory.path) is taking over \(own.source.path); that has to be finished first")
        }
        if let third {
            throw .refused(
                "\(source.path) was taking over \(third.source.path); finish that first, with \(source.path) as the queue's path"
            )
        }
        if let lane = both.min(by: { $0.description < $1.description }) {
            throw .refused("lane \(lane) is in both directories: one of them is a copy of the other")
        }
    }

    private func bringLayouts() throws(LogFault) {
        var faults: [String] = []
        let (theirs, ours) = try Self.onDisk { () throws(FileFault) in
            let theirs = try LayoutCatalogue.open(source.layouts, on: files, faults: &faults)
            return (theirs, try LayoutCatalogue.open(directory.layouts, on: files, faults: &faults))
        }
        for layout in theirs.all { try ours.register(layout) }
    }

    // MARK: What the order brings over

    /// Moves the lanes: step 4. To be called before the lanes of the directory are listed. Returns those that were moved now.
    package func moveLanes() throws(LogFault) -> [LaneKey] {
        try Self.onDisk { () throws(FileFault) in
            // A rename of the process before this one may not have lasted yet, nor what was found missing.
            try files.syncDirectory(source.lanes)
            for name in try files.list(source.path)
            where Self.marks.contains(where: name.hasPrefix) && !name.hasSuffix(".new") {
                let bytes = try DurableFile.read("\(source.path)/\(name)", on: files) ?? []
                try DurableFile.replace(name, in: directory.path, with: bytes, on: files)
            }
            let keys = try source.laneKeys(on: files)
            for key in keys { try files.rename(source.lane(key), to: directory.lane(key)) }
            try files.syncDirectory(directory.lanes)
            try files.syncDirectory(source.lanes)
            return keys
        }
    }

    /// Everything has been brought over, the letters too: the end of step 5.
    package func finish() throws(LogFault) {
        try Self.onDisk { () throws(FileFault) in
            try files.remove("\(directory.path)/\(Self.adopting)")
            try files.syncDirectory(directory.path)
        }
    }

    private static func onDisk<Value>(_ body: () throws(FileFault) -> Value) throws(LogFault) -> Value {
        do throws(FileFault) { return try body() } catch { throw .file(error) }
    }
}
