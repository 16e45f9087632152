package import Foundation
import Glibc
import Synchronization

/// A program that was started: its process id, its log, and the ways to end it. It ends with this process at the latest.
package final class ChildProcess {
    package let name: String
    private let process = Process()

    /// Starts `executable`; what it prints to standard error goes to `log`, standard output to `output` or the log too.
    package init(
        _ executable: String,
        _ arguments: [String],
        name: String,
        environment: [String: String] = [:],
        log: String,
        input: Pipe? = nil,
        output: Pipe? = nil
    ) throws {
        self.name = name
        let exists = FileManager.default.fileExists(atPath: log)
        guard exists || FileManager.default.createFile(atPath: log, contents: nil),
            let sink = FileHandle(forWritingAtPath: log)
        else {
            throw YardFault("can't write the log \(log)")
        }
        try sink.seekToEnd()
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = input ?? FileHandle.nullDevice
        process.standardError = sink
        process.standardOutput = output ?? sink
        try process.runWithSignals()
        Leftovers.note(pid)
    }

    package var pid: pid_t { process.processIdentifier }
    package var isRunning: Bool { process.isRunning }

    /// The processes that it has started itself, such as the workers of a server.
    package var children: [pid_t] {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8) else {
            return []
        }
        return text.split(separator: " ").compactMap { pid_t($0) }
    }

    package func signal(_ number: Int32) {
        kill(pid, number)
    }

    /// Waits for the end and returns the exit status; a signal's number is returned negative.
    @discardableResult
    package func wait() -> Int32 {
        process.waitUntilExit()
        Leftovers.forget(pid)
        return process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
    }

    /// Ends it with `SIGKILL`, as a crash would.
    package func crash() {
        signal(SIGKILL)
        wait()
    }

    /// Peak resident set size in bytes since the start of the process, from `/proc` (proc(5), VmHWM).
    package var peakResidentBytes: Int { memory("VmHWM:") }

    /// Resident set size in bytes now, from `/proc` (proc(5), VmRSS).
    package var residentBytes: Int { memory("VmRSS:") }

    private func memory(_ name: String) -> Int {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return 0 }
        for line in status.split(separator: "\n") where line.hasPrefix(name) {
            return (line.split(separator: " ").compactMap { Int($0) }.first ?? 0) * 1024
        }
        return 0
    }
}

/// Why something could not be carried out in a yard, or what was found wrong there.
package struct YardFault: Error, CustomStringConvertible {
    package var description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Runs a program to its end and returns what it wrote to standard output.
@discardableResult
package func capture(_ executable: String, _ arguments: [String], environment: [String: String] = [:]) throws -> String
{
    let outcome = try outcome(of: executable, arguments, environment: environment, withErrors: false)
    guard outcome.status == 0 else {
        throw YardFault(
            "\(executable) \(arguments.joined(separator: " ")) ended with status \(outcome.status)\n\(outcome.text)"
        )
    }
    return outcome.text
}

/// Runs a program to its end, and returns its status and what it wrote.
///
/// - Parameter withErrors: standard error too, in the order of writing; without, it goes where this process's goes.
package func outcome(
    of executable: String,
    _ arguments: [String],
    environment: [String: String] = [:],
    withErrors: Bool = true
) throws -> (status: Int32, text: String) {
    let output = Pipe()
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [executable] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    if withErrors { process.standardError = output }
    try process.runWithSignals()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
}

extension Process {
    /// Threads that run Swift's tasks have every signal blocked, and a child inherits that: it could neither be asked to end nor set an alarm.
    fileprivate func runWithSignals() throws {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try run()
    }
}

/// Asks `condition` until it holds; throws once `seconds` have passed.
package func waitUntil(_ what: String, within seconds: Double, _ condition: () throws -> Bool) throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try !condition() {
        guard ContinuousClock.now < deadline else {
            throw YardFault("\(what): not so after \(seconds) s")
        }
        usleep(5_000)
    }
}

/// Children that run, ended when this process exits.
private enum Leftovers {
    private static let children = Mutex<Set<pid_t>?>(nil)

    static func note(_ child: pid_t) {
        let isFirst = children.withLock { children in
            defer { children = (children ?? []).union([child]) }
            return children == nil
        }
        if isFirst {
            atexit { Leftovers.end() }
        }
    }

    /// The child has ended and its number may be another's soon.
    static func forget(_ child: pid_t) {
        children.withLock { _ = $0?.remove(child) }
    }

    /// Asks first: a server that is killed leaves its own children behind.
    private static func end() {
        for child in running { kill(child, SIGTERM) }
        let deadline = ContinuousClock.now + .seconds(5)
        while !running.isEmpty, ContinuousClock.now < deadline { usleep(10_000) }
        for child in running { kill(child, SIGKILL) }
    }

    private static var running: Set<pid_t> {
        children.withLock { $0 ?? [] }.filter { kill($0, 0) == 0 }
    }
}
