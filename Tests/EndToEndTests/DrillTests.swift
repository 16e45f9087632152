// Method: run the drills, shortened, against the binaries of this build: a real cluster, a real proxy, agents that keep a journal, and a count by
// event id at the end. A drill ends with a status other than 0 if an acknowledged event is missing, or doubled under a key. Times are not held against
// limits here: the machine may be slow.

import Foundation
import Testing

@Suite(.serialized)
struct DrillTests {
    @Test(arguments: [
        ["baseline", "--seconds", "3"],
        ["proxy-kill", "--rounds", "8"],
        ["proxy-kill", "--rounds", "4", "--no-keys"],
        ["postgres-restart", "--rounds", "3"],
        ["poison", "--events", "5000"],
        ["parked", "--events", "2000"],
        ["retyped", "--events", "5000"],
        ["backlog", "--gib", "0.1"],
        ["primary-kill-promote", "--rounds", "2"],
        ["primary-hang", "--rounds", "1"],
        ["two-writers", "--rounds", "1"],
        ["switchover", "--rounds", "1"],
        ["replica-kill", "--rounds", "1"],
        ["fsync-error", "--rounds", "4"],
        ["both-crash", "--rounds", "2"],
        ["soak", "--rounds", "10", "--count-every", "5", "--rate", "1500"],
        ["old-image"],
        ["old-image", "--killed"],
        ["restore"],
        ["restore", "--by-itself"],
        ["adopt", "--rounds", "2"],
        ["corrupt-block"],
        ["syscall-kill", "--every", "20"],
        ["syscall-fail", "--every", "50"],
        ["replica-kill-under-read", "--rounds", "2"],
        ["replica-kill-under-read", "--rounds", "1", "--hang"],
        ["replica-lag", "--rounds", "300"],
        ["promote-under-read", "--rounds", "1"],
        ["all-replicas-gone", "--rounds", "1"],
    ])
    func nothingIsLostOrDoubled(arguments: [String]) throws {
        let outcome = try drill(arguments)
        #expect(outcome.status == 0, "\(outcome.text)")
        #expect(outcome.text.contains("passed"))
    }

    /// A small file system has to be mounted, or networks made, which only root may do.
    @Test(
        .enabled(if: getuid() == 0),
        arguments: [["disk-full", "--mebibytes", "96"], ["link-cut", "--rounds", "1"]]
    )
    func rootLosesNothingEither(arguments: [String]) throws {
        let outcome = try drill(arguments)
        #expect(outcome.status == 0, "\(outcome.text)")
    }

    @Test(.enabled(if: getuid() != 0), arguments: ["disk-full", "link-cut"])
    func whatOnlyRootMayDoSaysSo(name: String) throws {
        let outcome = try drill([name])
        #expect(outcome.status == 69)
        #expect(outcome.text.contains("not possible here"), "\(outcome.text)")
    }

    /// The check itself is shown to be able to fail: an event vanishes behind the back of the drill.
    @Test
    func aLostEventIsFound() throws {
        let outcome = try drill(["baseline", "--seconds", "2", "--sabotage"])
        #expect(outcome.status != 0)
        #expect(outcome.text.contains("lost 1,"), "\(outcome.text)")
    }

    /// So is the look at table and ledger after a round of the soak, which does not know the events.
    @Test
    func aLostRowIsFoundWithoutACount() throws {
        let outcome = try drill(["soak", "--rounds", "1", "--seed", "12", "--sabotage"])
        #expect(outcome.status != 0)
        #expect(outcome.text.contains("the table's rows and the ledger's sum are"), "\(outcome.text)")
    }

    /// So are those of the syscall drills: a record vanishes after the kill; the syncs are hidden from the law of order.
    @Test(arguments: [("record", "was acknowledged|DAMAGED"), ("order", "was synced")])
    func aSpoiledQueueIsFound(sabotage: String, finding: String) throws {
        let stretch = ["--scenario", "append", "--every", "9", "--seed", "1"]
        let outcome = try drill(["syscall-kill", "--sabotage", sabotage] + stretch)
        #expect(outcome.status != 0)
        #expect(finding.split(separator: "|").contains { outcome.text.contains($0) }, "\(outcome.text)")
    }

    private func drill(_ arguments: [String]) throws -> (status: Int32, text: String) {
        let programs = try #require(Self.programs)
        let output = Pipe()
        let process = Process()
        process.executableURL = programs.appending(path: "drill")
        process.arguments = arguments + ["--programs", programs.path(), "--accept-within", "30"]
        if !arguments.contains("--rate") { process.arguments? += ["--rate", "4000"] }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    /// Where this build's executables are: beside the test bundle.
    static let programs: URL? = {
        var folder = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        while folder.path() != "/" {
            if FileManager.default.isExecutableFile(atPath: folder.appending(path: "drill").path()) { return folder }
            folder.deleteLastPathComponent()
        }
        return nil
    }()
}
