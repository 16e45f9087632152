import Glibc

/// What `/proc` says about processes (Linux, proc(5)).
enum ProcessTable {
    /// The process lives. A zombie does not: only its parent has not asked for its status yet.
    static func runs(_ process: Int32) -> Bool {
        guard let state = fields(of: process)?.first else { return false }
        return state != "Z" && state != "X"
    }

    static func children(of parent: Int32) -> [Int32] {
        names(in: "/proc").compactMap { Int32($0) }.filter { process in
            guard let fields = fields(of: process), fields.count > 1 else { return false }
            return fields[1] == String(parent)
        }
    }

    /// The directory that the process works in; nil if it is gone or not ours to see.
    static func workingDirectory(of process: Int32) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/\(process)/cwd", &buffer, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The fields of `/proc/<n>/stat` after the command's name, which may itself hold spaces: state, parent, …
    private static func fields(of process: Int32) -> [Substring]? {
        guard let text = TextFile.read("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        return text[text.index(after: end)...].split(separator: " ")
    }
}
