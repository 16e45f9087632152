import Foundation
import ProvingGround

/// What the figures were measured on, in general terms.
enum Machine {
    static func description(_ yard: Yard) -> [String] {
        let memory = Double(ProcessInfo.processInfo.physicalMemory) / Double(1 << 30)
        return [
            "\(ProcessInfo.processInfo.activeProcessorCount) processors, \(Int(memory.rounded())) GiB of memory, all parties on it",
            "Linux " + firstWord(ofFile: "/proc/sys/kernel/osrelease"),
            "PostgreSQL \((try? yard.query("SELECT current_setting('server_version_num')::int / 10000")) ?? "?")",
            "file system of the queue and of PostgreSQL: \(fileSystem(of: "/var/tmp"))",
        ]
    }

    private static func firstWord(ofFile path: String) -> String {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? "?"
        // Whatever follows the version names who built the kernel.
        return String(text.prefix { $0.isNumber || $0 == "." })
    }

    /// The type of the file system with the longest mount point above `path`.
    private static func fileSystem(of path: String) -> String {
        let mounts = (try? String(contentsOfFile: "/proc/mounts", encoding: .utf8)) ?? ""
        var best = (point: "", type: "?")
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ").map(String.init)
            guard fields.count > 2 else { continue }
            let isAbove = path == fields[1] || path.hasPrefix(fields[1].hasSuffix("/") ? fields[1] : fields[1] + "/")
            if isAbove, fields[1].count >= best.point.count {
                best = (fields[1], fields[2])
            }
        }
        return best.type
    }
}
