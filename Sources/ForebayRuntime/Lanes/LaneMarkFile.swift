import DurableQueue
import Records
import SegmentedLog

/// The files of the queue directory that hold an offset of one lane: two lines, the form's name and the offset, each ended by a line feed. Replaced as a
/// whole, as `IDENTITY` is.
struct LaneMarkFile: Sendable {
    /// What the offset says.
    enum Meaning: String, Sendable {
        /// The lane ended there when the queue was opened, and no claim has compared the ledger with that since.
        case opened
        /// The rows after it have offsets that were used before.
        case reused

        fileprivate var prefix: String { rawValue.uppercased() + "." }
        fileprivate var formatLine: String { "forebay-\(rawValue) 1" }
    }

    private let meaning: Meaning
    private let directory: String
    private let files: any FileSystem

    init(_ meaning: Meaning, directory: String, files: any FileSystem = POSIXFileSystem()) {
        self.meaning = meaning
        self.directory = directory
        self.files = files
    }

    private func name(_ lane: LaneKey) -> String { meaning.prefix + LaneFiles.directoryName(of: lane) }

    /// What all files of this meaning say.
    ///
    /// - Throws: a fault of the file system, or, as `EBADMSG`, of a content that is not as above: guessing would lose rows or double them.
    func readAll() throws(FileFault) -> [LaneKey: Offset] {
        var marks: [LaneKey: Offset] = [:]
        for name in try files.list(directory) where name.hasPrefix(meaning.prefix) && !name.hasSuffix(".new") {
            let path = "\(directory)/\(name)"
            let bytes = try DurableFile.read(path, on: files) ?? []
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            guard let lane = LaneFiles.laneKey(ofDirectory: String(name.dropFirst(meaning.prefix.count))),
                lines.count == 3, lines[0] == meaning.formatLine, lines[2].isEmpty, let known = UInt64(lines[1])
            else {
                throw FileFault(
                    operation: "read",
                    path: path,
                    code: 74,
                    message: "expected \"\(meaning.formatLine)\" and an offset, on a line each"
                )
            }
            marks[lane] = Offset(known)
        }
        return marks
    }

    func write(_ lane: LaneKey, _ known: Offset) throws(FileFault) {
        let text = "\(meaning.formatLine)\n\(known)\n"
        try DurableFile.replace(name(lane), in: directory, with: Array(text.utf8), on: files)
    }

    /// Does nothing if there is none.
    func remove(_ lane: LaneKey) throws(FileFault) {
        do throws(FileFault) {
            try files.remove("\(directory)/\(name(lane))")
        } catch {
            if !error.isMissing { throw error }
        }
        try files.syncDirectory(directory)
    }
}
