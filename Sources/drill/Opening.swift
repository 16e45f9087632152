import ArgumentParser
import Foundation
import Glibc
import LocalPostgres
import ProvingGround

/// How long the proxy takes to accept again after a `kill -9`, in front of backlogs of several sizes: it must not grow with them.
struct Opening: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The time to accept again after kill -9, in front of backlogs of several sizes.",
        discussion: """
            PostgreSQL is away; one queue grows from size to size, and at each the proxy is killed under load several times. Nothing \
            is drained.

              make drill NAME=opening
              make drill NAME=opening ARGS='--gib 1,2 --kills 5'
            """
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "The backlogs, in GiB on disk, growing.")
    var gib = "1,5,20"

    @Option(help: "Kills at each size.")
    var kills = 10

    @Option(help: "Bytes of text that does not compress, in every event.")
    var padding = 16_000

    private var sizes: [Double] { gib.split(separator: ",").compactMap { Double($0) } }

    func validate() throws {
        guard !sizes.isEmpty, sizes == sizes.sorted(), sizes[0] > 0 else {
            throw ValidationError("--gib must be growing sizes, as 1,5,20")
        }
    }

    func run() throws {
        var plan = Yard.Plan()
        plan.maxBytes = "\(Int((sizes.last ?? 0) * 1.25) + 2)GiB"
        try options.run("opening at \(gib) GiB", plan) { yard, pause in
            try yard.startProxy()
            try yard.waitForStreams()
            try yard.cluster.primary.stop(.fast)
            let fleet = try AgentFleet(yard, options, padding: padding)
            for size in sizes {
                try fill(yard, to: size)
                var starts: [Duration] = []
                for _ in 1...kills {
                    pause.wait(milliseconds: 200...800)
                    yard.proxy?.crash()
                    try yard.startProxy()
                    starts.append(try yard.waitForIngest())
                }
                let bytes = try backlog(of: yard)
                print(
                    "\((bytes * 10).rounded() / 10) GiB on disk: accepting again \(summary(of: starts)), "
                        + "RSS \((yard.proxy?.peakResidentBytes ?? 0) >> 20) MiB"
                )
                for start in starts { try yard.checkStart(start) }
            }
            print(try fleet.finish())
            return nil
        }
    }

    private func fill(_ yard: Yard, to size: Double) throws {
        try waitUntil("\(size) GiB are there", within: 3600) {
            if try backlog(of: yard) >= size { return true }
            usleep(200_000)
            return false
        }
    }

    private func backlog(of yard: Yard) throws -> Double {
        try yard.metric("forebay_queue_bytes") / 1_073_741_824
    }
}
