import ArgumentParser
import Foundation
import Glibc
import LocalPostgres
import ProvingGround

/// The file system of the queue is full: agents get 503, the proxy goes on draining, and then accepts again by itself.
struct DiskFull: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disk-full",
        abstract: "The queue's file system fills up (a small tmpfs; needs root)."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "Size of the file system, in MiB.")
    var mebibytes = 256

    func run() throws {
        guard geteuid() == 0 else {
            say("not possible here: a file system can be mounted by root only")
            throw DrillOptions.unavailable
        }
        let mount = "/var/tmp/forebay-drill-\(getpid())-disk"
        try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
        try capture("mount", ["-t", "tmpfs", "-o", "size=\(mebibytes)m", "tmpfs", mount])
        defer {
            _ = try? capture("umount", ["-l", mount])
            rmdir(mount)
        }
        var plan = Yard.Plan()
        plan.queue = "\(mount)/queue"
        plan.maxBytes = "64GiB"
        try options.run("disk-full (\(mebibytes) MiB)", plan) { yard, _ in
            try yard.startProxy()
            try yard.waitForStreams()
            try yard.cluster.primary.stop(.fast)
            let fleet = try AgentFleet(yard, options, padding: 1000)
            let probe = "/v1/ingest/apirequests"
            let event = #"{"time":"2026-01-01T00:00:00Z","trace_id":"probe"}"#
            var refusal: LoopbackHTTP.Answer?
            try waitUntil("agents are refused", within: 300) {
                guard let answer = yard.ingest.post(probe, body: event), answer.status == 503 else { return false }
                refusal = answer
                return true
            }
            guard let wait = refusal?.field("retry-after") else { throw YardFault("503 without Retry-After") }
            print("full: 503, Retry-After: \(wait), \(refusal?.body ?? "")")
            sleep(5)
            guard yard.proxy?.isRunning == true else { throw YardFault("the proxy ended on a full disk") }
            try yard.cluster.primary.start()
            let begun = ContinuousClock.now
            try waitUntil("the proxy accepts again by itself", within: 300) {
                yard.ingest.post(probe, body: event)?.status == 200
            }
            print(
                "accepting again \(Int((ContinuousClock.now - begun) / .milliseconds(1))) ms after PostgreSQL came back"
            )
            sleep(5)
            print(try fleet.finish())
            try yard.waitForDrain(within: 300)
            return try fleet.count()
        }
    }
}
