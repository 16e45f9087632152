package import Records

/// Finds the small files of a queue directory that keep a proxy from going on, and mends those for which there is a safe way: <doc:Repair>.
///
/// The caller holds the directory's lock.
package struct QueueRepair: Sendable {
    /// A file that is not as it should be.
    package struct Finding: Hashable, Sendable {
        package enum Remedy: Hashable, Sendable {
            /// The identity is written again.
            case identity(QueueID)
            /// The file is moved aside, and made anew by the next proxy.
            case setAside
            /// None that would not be a guess; what an operator can do.
            case none(String)
        }

        package var name: String
        package var reason: String
        package var remedy: Remedy
    }

    /// A file that is made anew if it is moved aside, and what is wrong with a content of it; nil if nothing is.
    package struct Replaceable: Sendable {
        package var name: String
        package var complaint: @Sendable ([UInt8]) -> String?

        package init(name: String, complaint: @escaping @Sendable ([UInt8]) -> String?) {
            self.name = name
            self.complaint = complaint
        }
    }

    static let aside = "set-aside"

    private let directory: QueueDirectory
    private let files: any FileSystem
    private let replaceable: [Replaceable]

    package init(_ directory: QueueDirectory, on files: any FileSystem, replaceable: [Replaceable]) {
        self.directory = directory
        self.files = files
        self.replaceable = replaceable
    }

    /// Changes nothing.
    package func examine() throws(FileFault) -> [Finding] {
        var findings: [Finding] = []
        if let reason = try Self.complaint({ () throws(LogFault) in _ = try directory.readIdentity(on: files) }) {
            let remedy = try newestLane().map { Finding.Remedy.identity($0.queue) } ?? .setAside
            findings.append(Finding(name: "IDENTITY", reason: reason, remedy: remedy))
        }
        for file in replaceable {
            guard let bytes = try content(file.name), let reason = file.complaint(bytes) else { continue }
            findings.append(Finding(name: file.name, reason: reason, remedy: .setAside))
        }
        let adoption = "write it again, as the page \"Adoption\" says"
        if let reason = try Self.complaint({ () throws(LogFault) in
            _ = try QueueAdoption.adopter(of: directory, on: files)
        }) {
            findings.append(Finding(name: "ADOPTED", reason: reason, remedy: .none(adoption)))
        }
        if let reason = try Self.complaint({ () throws(LogFault) in
            _ = try QueueAdoption.pending(in: directory, on: files)
        }) {
            findings.append(Finding(name: "ADOPTING", reason: reason, remedy: .none(adoption)))
        }
        return findings
    }

    /// Mends what was found, as far as there is a remedy. Can be done again.
    ///
    /// - Parameter tag: tells files of one name apart that are moved aside.
    package func apply(_ finding: Finding, tag: UInt64) throws(FileFault) {
        switch finding.remedy {
        case .none: return
        case .identity(let id):
            // The damaged one stays in its place until the other one takes it: without any, a start would make a new id.
            let bytes = try content(finding.name) ?? []
            try files.createDirectory("\(directory.path)/\(Self.aside)")
            try DurableFile.replace(
                name(finding, tag),
                in: "\(directory.path)/\(Self.aside)",
                with: bytes,
                on: files
            )
            try directory.writeIdentity(id, on: files)
        case .setAside:
            let aside = "\(directory.path)/\(Self.aside)"
            try files.createDirectory(aside)
            try files.rename("\(directory.path)/\(finding.name)", to: "\(aside)/\(name(finding, tag))")
            try files.syncDirectory(aside)
            try files.syncDirectory(directory.path)
        }
    }

    private func name(_ finding: Finding, _ tag: UInt64) -> String { "\(finding.name).\(String(tag, radix: 16))" }

    /// The lane that was written last, going by the times that its files tell.
    private func newestLane() throws(FileFault) -> LaneKey? {
        var newest: (lane: LaneKey, time: WallTime)?
        for key in try directory.laneKeys(on: files) {
            let lane = try LaneSnapshot.take(key, in: directory.lane(key), on: files)
            let time = max(lane.hints.written, lane.segments.last?.header?.born ?? WallTime(microseconds: 0))
            if newest.map({ time > $0.time }) ?? true { newest = (key, time) }
        }
        return newest?.lane
    }

    private func content(_ name: String) throws(FileFault) -> [UInt8]? {
        do throws(FileFault) {
            return try DurableFile.read("\(directory.path)/\(name)", on: files) ?? []
        } catch {
            if error.isMissing { return nil }
            throw error
        }
    }

    /// What is wrong with a file; nil if nothing is, or if it is not there. A fault of the file system is no damage.
    private static func complaint(_ read: () throws(LogFault) -> Void) throws(FileFault) -> String? {
        do throws(LogFault) {
            try read()
            return nil
        } catch {
            if case .file(let fault) = error { throw fault }
            return error.description
        }
    }
}
