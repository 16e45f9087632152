import Glibc

/// The file in which an agent writes down what it sent and what was acknowledged.
///
/// Lines: first `forebay-drill 1 <run> <agent> keys|no-keys`; then `s <first> <count>` before a batch is sent for the first
/// time, and `a <first> <count>` once it has been acknowledged. Each line is one write(2), so a killed agent leaves at most an
/// incomplete last line.
package final class DrillJournal {
    private let descriptor: Int32

    /// Creates `<directory>/agent-<run>-<agent>.journal`; it must not exist.
    package init(directory: String, run: String, agent: Int, keys: Bool) throws(InputFault) {
        let path = "\(directory)/agent-\(run)-\(agent).journal"
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw InputFault(name: path, code: errno) }
        writeLine("forebay-drill 1 \(run) \(agent) \(keys ? "keys" : "no-keys")")
    }

    deinit {
        close(descriptor)
    }

    package func willSend(first: Int, count: Int) {
        writeLine("s \(first) \(count)")
    }

    package func acknowledged(first: Int, count: Int) {
        writeLine("a \(first) \(count)")
    }

    private func writeLine(_ line: String) {
        // An agent that can't keep its journal must not go on: the drill would count wrongly.
        precondition(writeAll(Array((line + "\n").utf8), to: descriptor), "the journal takes no more")
    }
}
