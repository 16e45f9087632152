import DurableQueue
import Records
import SegmentedLog

/// The files `REUSED.<queue id>.<lane>` of the queue directory: two lines, `forebay-reused 1` and the last offset of the lane that is not new, each ended
/// by a line feed. Replaced as a whole, as `IDENTITY` is.
struct ReusedFile: Sendable {
    private static let prefix = "REUSED."
    private static let formatLine = "forebay-reused 1"

    private let directory: String
    private let files: any FileSystem

    init(directory: String, files: any FileSystem = POSIXFileSystem()) {
        self.directory = directory
        self.files = files
    }

    private func name(_ lane: LaneKey) -> String { Self.prefix + LaneFiles.directoryName(of: lane) }

    /// What all files say.
    ///
    /// - Throws: a fault of the file system, or, as `EBADMSG`, of a content that is not as above: guessing would lose rows or double them.
    func readAll() throws(FileFault) -> [LaneKey: Offset] {
        var marks: [LaneKey: Offset] = [:]
        for name in try files.list(directory) where name.hasPrefix(Self.prefix) && !name.hasSuffix(".new") {
            let path = "\(directory)/\(name)"
            let bytes = try DurableFile.read(path, on: files) ?? []
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            guard let lane = LaneFiles.laneKey(ofDirectory: String(name.dropFirst(Self.prefix.count))),
                lines.count == 3, lines[0] == Self.formatLine, lines[2].isEmpty, let known = UInt64(lines[1])
            else {
                throw FileFault(
                    operation: "read",
                    path: path,
                    code: 74,
                    message: "expected \"\(Self.formatLine)\" and an offset, on a line each"
                )
            }
            marks[lane] = Offset(known)
        }
        return marks
    }

    func write(_ lane: LaneKey, _ known: Offset) throws(FileFault) {
        let text = "\(Self.formatLine)\n\(known)\n"
        try DurableFile.replace(name(lane), in: directory, with: Array(text.utf8), on: files)
    }

    func remove(_ lane: LaneKey) throws(FileFault) {
        try files.remove("\(directory)/\(name(lane))")
        try files.syncDirectory(directory)
    }
}
