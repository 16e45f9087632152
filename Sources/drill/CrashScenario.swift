import Foundation
import LocalPostgres
import ProvingGround

/// A stretch of a proxy's life: the queue directory it begins with, what is sent, and when it has been seen whole.
struct CrashScenario {
    /// A queue directory, and the record of what it holds.
    struct Template {
        var queue: String
        var requests: [CrashSite.Request]
    }

    var name: String
    var template: Template
    var settings: [String: String]
    /// There is no queue in the template yet.
    var makesQueue = false
    /// Sent after the start, before calls count; nil counts from the start of the process.
    var warmUp: [CrashSite.Request]?
    /// Sent while calls count, one after another.
    var sends: [CrashSite.Request] = []
    /// The calls of threads whose name begins so are the points.
    var thread = ""
    /// Whether everything that belongs to the stretch is among these calls.
    var isOver: ([SyscallFaults.Call]) -> Bool
}

/// Makes the scenarios: one cluster is up while the first directory is made, and away from then on.
struct CrashScenarios {
    typealias Template = CrashScenario.Template

    let yard: Yard
    let faults: SyscallFaults
    private var directory: String { "\(yard.directory)/templates" }

    /// The smallest budget makes the smallest segments, 256 KiB, so that a few requests fill one.
    static let settings = [
        "FOREBAY_QUEUE_LANES": "1", "FOREBAY_QUEUE_MAX_BYTES": "8MiB", "FOREBAY_QUEUE_SEGMENT_BYTES": "1MiB",
        "FOREBAY_RETENTION_MIN_AGE": "1h",
    ]

    static func plan() -> Yard.Plan {
        var plan = Yard.Plan()
        plan.streams = "  readings: { table: public.readings }"
        plan.preparation = "CREATE TABLE readings (id bigint PRIMARY KEY, filler text)"
        return plan
    }

    /// All of them; PostgreSQL is stopped afterwards.
    func make() throws -> [CrashScenario] {
        let delivered = try makeDelivered()
        let torn = try makeTorn(delivered)
        let first = try makeFirst(delivered)
        let settings = Self.settings
        var trimming = settings
        trimming["FOREBAY_RETENTION_MIN_AGE"] = "0s"
        return [
            CrashScenario(
                name: "append",
                template: delivered,
                settings: settings,
                warmUp: [Self.request(1_000, 3)],
                sends: [
                    Self.request(1_100, 3),
                    // More than a block's worth of rows: a run of blocks that a commit mark closes.
                    Self.request(1_200, 200, filler: 3_000),
                    Self.request(1_500, 5, keyed: false),
                    Self.request(1_600, 1),
                ],
                isOver: Self.hintsCameAfterTheAnswers
            ),
            CrashScenario(
                name: "rotation",
                template: delivered,
                settings: settings,
                warmUp: [],
                sends: [
                    // Begins a segment in the spare, fills it, begins one without a spare, then one of its own size.
                    Self.request(2_000, 10, filler: 10_000, isNoise: true),
                    Self.request(2_100, 10, filler: 10_000, isNoise: true),
                    Self.request(2_200, 10, filler: 10_000, isNoise: true),
                    Self.request(2_300, 30, filler: 10_000, isNoise: true),
                    Self.request(2_400, 1),
                ],
                isOver: Self.hintsCameAfterTheAnswers
            ),
            CrashScenario(
                name: "trim",
                template: delivered,
                settings: trimming,
                thread: "queue-care",
                isOver: { calls in Self.hints(calls) > 0 }
            ),
            CrashScenario(
                name: "first start",
                template: first,
                settings: settings,
                makesQueue: true,
                sends: [Self.request(3_000, 3)],
                isOver: Self.hintsCameAfterTheAnswers
            ),
            CrashScenario(
                name: "start after a stop",
                template: delivered,
                settings: settings,
                isOver: { calls in Self.hints(calls) > 0 }
            ),
            CrashScenario(
                name: "start after a crash, with fewer lanes",
                template: torn,
                settings: settings,
                isOver: { calls in Self.hints(calls) > 1 }
            ),
        ]
    }

    /// How often a lane's hints have been written, which is the last thing that the housekeeper does when it looks around.
    static func hints(_ calls: [SyscallFaults.Call]) -> Int {
        calls.count { $0.name == "rename" && $0.newPath.hasSuffix("/WATERMARKS") && $0.ended != 0 }
    }

    /// How often the housekeeper has begun to look around: first it asks how much room there is.
    static func looks(_ calls: [SyscallFaults.Call]) -> Int {
        calls.count { $0.name == "statvfs" && $0.path == "queue" && $0.thread == "queue-care" }
    }

    static func hintsCameAfterTheAnswers(_ calls: [SyscallFaults.Call]) -> Bool {
        guard let answer = calls.last(where: { $0.kinds.contains(.answers) }) else { return false }
        return hints(calls.filter { $0.begun > answer.begun }) > 0
    }

    static func request(
        _ first: Int,
        _ count: Int,
        filler: Int = 40,
        isNoise: Bool = false,
        keyed: Bool = true
    ) -> CrashSite.Request {
        CrashSite.Request(
            key: keyed ? "from-\(first)" : nil,
            ids: first..<first + count,
            filler: filler,
            isNoise: isNoise
        )
    }

    // MARK: Templates

    private func site(_ name: String, lanes: Int = 1, requests: [CrashSite.Request] = []) throws -> CrashSite {
        let directory = "\(directory)/\(name)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var settings = Self.settings
        settings["FOREBAY_QUEUE_LANES"] = "\(lanes)"
        return CrashSite(yard, directory: directory, faults: faults, settings: settings, requests: requests)
    }

    /// Several segments that PostgreSQL has, several that it has not, and a clean end.
    private func makeDelivered() throws -> Template {
        let site = try site("delivered")
        site.requests = stride(from: 1, to: 51, by: 10).map { Self.request($0, 10, filler: 10_000, isNoise: true) }
        try site.start(faulty: false)
        try yard.waitForStreams()
        for index in site.requests.indices {
            try site.send(index)
            site.requests[index].isDelivered = true
        }
        try yard.waitForDrain(within: 120)
        // The last hints say what was committed.
        try site.stop()
        try yard.cluster.primary.stop(.fast)
        try site.start(faulty: false)
        guard try site.waitForIngest() else { throw YardFault("the proxy ended; see \(site.log)") }
        for first in stride(from: 101, to: 141, by: 10) {
            site.requests.append(Self.request(first, 10, filler: 10_000, isNoise: true))
            try site.send(site.requests.count - 1)
        }
        try site.stop()
        return Template(queue: site.queue, requests: site.requests)
    }

    /// Two lanes, killed in the middle of a write, a sidecar of keys lost.
    private func makeTorn(_ known: Template) throws -> Template {
        let site = try site("torn", lanes: 2)
        try copySchemas(of: known, to: site)
        try site.start(faulty: true)
        guard try site.waitForIngest() else { throw YardFault("the proxy ended; see \(site.log)") }
        for first in stride(from: 1, to: 101, by: 10) {
            site.requests.append(Self.request(first, 10, filler: 10_000, isNoise: true))
            try site.send(site.requests.count - 1)
        }
        try waitUntil("keys are written", within: 60) { try self.files(of: site, ".keys").count > 1 }
        faults.arm(.killWithin(eighths: 5), at: 1, of: .partial, thread: "lane-0")
        while site.isRunning {
            site.requests.append(Self.request(site.requests.count * 10 + 1, 10, filler: 10_000, isNoise: true))
            try site.send(site.requests.count - 1)
        }
        site.waitForEnd()
        if let keys = try files(of: site, ".keys").first { try FileManager.default.removeItem(atPath: keys) }
        return Template(queue: site.queue, requests: site.requests)
    }

    /// No queue yet; only the table of the stream is known, so that something can be sent without PostgreSQL.
    private func makeFirst(_ known: Template) throws -> Template {
        let site = try site("first")
        try copySchemas(of: known, to: site)
        return Template(queue: site.queue, requests: [])
    }

    private func copySchemas(of known: Template, to site: CrashSite) throws {
        try FileManager.default.createDirectory(atPath: site.queue, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: "\(known.queue)/schemas", toPath: "\(site.queue)/schemas")
    }

    private func files(of site: CrashSite, _ suffix: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: "\(site.queue)/lanes").sorted()
            .filter { $0.hasSuffix(suffix) }.map { "\(site.queue)/lanes/\($0)" }
    }
}
