import Foundation
import Glibc

/// A program started by a drill: its process id, its log, and the ways to end it.
final class ChildProcess {
    let name: String
    let process = Process()

    /// Starts `executable`; what it prints to standard error goes to `log`, standard output to `output` or the log too.
    init(
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
            throw DrillFault("can't write the log \(log)")
        }
        try sink.seekToEnd()
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = input ?? FileHandle.nullDevice
        process.standardError = sink
        process.standardOutput = output ?? sink
        try process.run()
    }

    var pid: pid_t { process.processIdentifier }
    var isRunning: Bool { process.isRunning }

    func signal(_ number: Int32) {
        kill(pid, number)
    }

    /// Waits for the end and returns the exit status; a signal's number is returned negative.
    @discardableResult
    func wait() -> Int32 {
        process.waitUntilExit()
        return process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
    }

    /// Ends it with `SIGKILL`, as a crash would.
    func crash() {
        signal(SIGKILL)
        wait()
    }

    /// Peak resident set size in bytes since the start of the process, from `/proc` (proc(5), VmHWM).
    var peakResidentBytes: Int {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return 0 }
        for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
            return (line.split(separator: " ").compactMap { Int($0) }.first ?? 0) * 1024
        }
        return 0
    }
}

/// Why a drill could not be carried out, or what it found wrong.
struct DrillFault: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Runs a program to its end and returns what it wrote to standard output.
@discardableResult
func capture(_ executable: String, _ arguments: [String], environment: [String: String] = [:]) throws -> String {
    let output = Pipe()
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [executable] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw DrillFault(
            "\(executable) \(arguments.joined(separator: " ")) ended with status \(process.terminationStatus)\n"
                + String(decoding: data, as: UTF8.self)
        )
    }
    return String(decoding: data, as: UTF8.self)
}

/// Asks `condition` until it holds; throws once `seconds` have passed.
func waitUntil(_ what: String, within seconds: Double, _ condition: () throws -> Bool) throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try !condition() {
        guard ContinuousClock.now < deadline else {
            throw DrillFault("\(what): not so after \(seconds) s")
        }
        usleep(5_000)
    }
}
