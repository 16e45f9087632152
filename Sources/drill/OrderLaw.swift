import Glibc
import ProvingGround

/// What a kill can't show, since the page cache outlives the process: that everything an answer stands for was forced to the disk before it
/// was sent. It is read from the order of the calls.
///
/// Requests are sent one after another, so at the moment of an answer nothing may be pending: no segment with a write behind its last
/// sync, no directory with a segment's rename, or with a new directory, behind its last sync.
enum OrderLaw {
    /// - Parameter forgetting: the name of calls that are left out, to show that the check can fail.
    static func check(_ calls: [SyscallFaults.Call], forgetting: String? = nil) throws {
        // When the last write to a file ended, by its present name; when a directory last got an entry that it must not lose.
        var written: [String: UInt64] = [:]
        var entered: [String: UInt64] = [:]
        for call in calls where call.name != forgetting {
            // A directory that was there already may have been made by a process that died before it was synced.
            guard call.succeeded || (call.name == "mkdir" && call.error == EEXIST) else { continue }
            switch call.name {
            case "pwrite": written[call.path] = max(written[call.path] ?? 0, call.ended)
            case "fdatasync", "fsync":
                if let end = written[call.path], end < call.begun { written[call.path] = nil }
                if let end = entered[call.path], end < call.begun { entered[call.path] = nil }
            case "rename":
                written[call.newPath] = written.removeValue(forKey: call.path)
                if call.newPath.hasSuffix(".segment") { entered[directory(of: call.newPath)] = call.ended }
            case "mkdir": entered[directory(of: call.path)] = call.ended
            default:
                guard call.kinds.contains(.answers) else { continue }
                if let path = written.keys.first(where: { $0.hasSuffix(".segment") }) {
                    throw YardFault("an answer was sent before what had been written to \(path) was synced")
                }
                if let path = entered.keys.first {
                    throw YardFault("an answer was sent before the newest name in \(path) was synced")
                }
            }
        }
    }

    /// After a failed write or sync of a segment, no more is written to it or synced of it.
    static func checkFinality(_ calls: [SyscallFaults.Call]) throws {
        var failed: Set<String> = []
        for call in calls {
            // A segment in which nothing was acknowledged is replaced by another file of its name.
            if call.name == "rename", call.succeeded { failed.remove(call.newPath) }
            guard call.path.hasSuffix(".segment"), ["pwrite", "fdatasync", "fsync"].contains(call.name) else {
                continue
            }
            guard !failed.contains(call.path) else {
                throw YardFault("\(call.name) of \(call.path) after a write or a sync of it had failed")
            }
            if call.result < 0 { failed.insert(call.path) }
        }
    }

    private static func directory(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}
