import Foundation
import Glibc
import ProvingGround

/// A queue directory that a crash test spoils, the proxies that run on it one after another, and what each request was answered.
final class CrashSite {
    /// A request that a crash test sends: events of the stream `readings` with ids of their own.
    struct Request {
        enum Outcome {
            case unsent
            case acknowledged
            /// 503: nothing of it may be there.
            case refused
            /// The proxy died, or broke off: all of it may be there, or nothing.
            case unanswered
        }

        /// nil sends without an idempotency key.
        var key: String?
        var ids: Range<Int>
        /// Characters of filler in every event.
        var filler: Int
        /// Filler that does not compress.
        var isNoise: Bool
        var outcome = Outcome.unsent
        /// PostgreSQL has it: the queue may let it go.
        var isDelivered = false

        var body: String {
            ids.map { "{\"id\":\($0),\"filler\":\"\(Self.filler($0, filler, isNoise: isNoise))\"}\n" }.joined()
        }

        private static let letters = Array("abcdefghijklmnopqrstuvwxyz012345".utf8)

        /// The filler of the event with that id, which is always the same.
        static func filler(_ id: Int, _ count: Int, isNoise: Bool) -> String {
            guard isNoise else { return String(repeating: "x", count: count) }
            var source = Pause(seed: UInt64(id))
            var word: UInt64 = 0
            let bytes = (0..<count).map { index in
                if index % 12 == 0 { word = source.next() }
                defer { word >>= 5 }
                return Self.letters[Int(word & 31)]
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    let yard: Yard
    let directory: String
    let faults: SyscallFaults
    /// Variables that set keys of the configuration.
    var settings: [String: String]
    var requests: [Request]
    private(set) var proxy: ChildProcess?
    private(set) var starts: [Duration] = []

    var queue: String { "\(directory)/queue" }
    /// Beside the directory, since calls below it count.
    var log: String { "\(directory).log" }

    init(_ yard: Yard, directory: String, faults: SyscallFaults, settings: [String: String], requests: [Request] = []) {
        self.yard = yard
        self.directory = directory
        self.faults = faults
        self.settings = settings
        self.requests = requests
    }

    // MARK: The proxy

    /// Starts a proxy, with the faults in it or as it is shipped; returns at once.
    ///
    /// - Parameter arming: called when calls can be armed, just before the process begins.
    func start(faulty: Bool, arming: () -> Void = {}) throws {
        var environment = settings
        environment["FOREBAY_QUEUE_PATH"] = queue
        if faulty {
            faults.clear(root: directory)
            environment.merge(faults.environment) { $1 }
            arming()
        }
        proxy = try ChildProcess(
            "\(yard.programs)/forebay",
            ["serve", "--config", yard.configuration],
            name: "forebay",
            environment: environment,
            log: log
        )
    }

    var isRunning: Bool { proxy?.isRunning == true }

    /// Waits until ingest accepts; false if the proxy ended before.
    func waitForIngest(within seconds: Double = 60) throws -> Bool {
        try waitUntil("ingest accepts", within: seconds) {
            !isRunning || yard.ingest.get("/healthz")?.status == 200
        }
        return isRunning
    }

    func crash() {
        proxy?.crash()
        proxy = nil
    }

    /// Waits for a proxy that is dying, and returns how it ended: an exit status, or a signal's number as a negative one.
    @discardableResult
    func waitForEnd() -> Int32 {
        defer { proxy = nil }
        return proxy?.wait() ?? 0
    }

    func stop() throws {
        proxy?.signal(SIGTERM)
        let status = waitForEnd()
        guard status == 0 else { throw YardFault("the proxy ended with status \(status) after SIGTERM; see \(log)") }
    }

    // MARK: Requests

    /// Sends a request, or sends it again, notes what came of it, and returns the answer.
    @discardableResult
    func send(_ index: Int) throws -> LoopbackHTTP.Answer? {
        let answer = yard.ingest.post("/v1/ingest/readings", body: requests[index].body, key: requests[index].key)
        switch answer?.status {
        case 200: requests[index].outcome = .acknowledged
        case 503:
            guard answer?.field("retry-after") != nil else { throw YardFault("503 without Retry-After") }
            requests[index].outcome = .refused
        case nil: requests[index].outcome = .unanswered
        case let status?: throw YardFault("request \(index) was answered \(status): \(answer?.body ?? "")")
        }
        return answer
    }

    // MARK: Reading back

    /// Starts the proxy that is shipped on what the crash left, sends everything again, and holds the queue against the record.
    ///
    /// - Parameter refusedMayStand: a refused request may be found after all (see CrashSafety: a read-only lane).
    func readBack(refusedMayStand: Bool = false) throws {
        let image = try verify()
        let begun = ContinuousClock.now
        try start(faulty: false)
        guard try waitForIngest() else { throw YardFault("the proxy does not start on what was left; see \(log)") }
        let start = ContinuousClock.now - begun
        starts.append(start)
        try yard.checkStart(start)
        for index in requests.indices where requests[index].key != nil && requests[index].outcome != .unsent {
            try resend(index, refusedMayStand: refusedMayStand)
        }
        let first = (requests.map(\.ids.upperBound).max() ?? 0) + 1
        requests.append(Request(key: "last-\(first)", ids: first..<first + 2, filler: 10, isNoise: false))
        guard try send(requests.count - 1)?.status == 200 else {
            throw YardFault("a new request is refused; see \(log)")
        }
        let counts = try law()
        try stop()
        _ = try verify()
        let trimmed = try count(after: image)
        guard counts.accepted == counts.committed + counts.queued, counts.accepted == trimmed.end else {
            throw YardFault("the conservation law does not hold: \(counts), the queue ends at \(trimmed.end)")
        }
    }

    private func resend(_ index: Int, refusedMayStand: Bool) throws {
        let before = requests[index].outcome
        guard let answer = try send(index), answer.status == 200 else {
            throw YardFault("request \(index), sent again after the restart, is not accepted; see \(log)")
        }
        let isRepeat = answer.body.contains("\"repeated\":true")
        switch before {
        case .acknowledged where !isRepeat:
            throw YardFault("request \(index) was acknowledged, and is not known after the restart")
        case .refused where isRepeat && !refusedMayStand:
            throw YardFault("request \(index) was refused, and is there after the restart")
        case .acknowledged, .refused, .unanswered, .unsent: break
        }
    }

    private struct Law: CustomStringConvertible {
        var accepted: Int
        var committed: Int
        var queued: Int

        var description: String { "accepted \(accepted), committed \(committed), queued \(queued)" }
    }

    private func law() throws -> Law {
        func figure(_ name: String) throws -> Int { Int(try yard.metric("forebay_conservation_\(name)")) }
        return Law(
            accepted: try figure("accepted"),
            committed: try figure("committed") + figure("dead_lettered"),
            queued: try figure("queued")
        )
    }

    /// `forebay queue verify`, which throws if anything is damaged.
    private func verify() throws -> String {
        // The very first start may have died before there was a queue.
        guard FileManager.default.fileExists(atPath: "\(queue)/IDENTITY") else { return "" }
        return try capture("\(yard.programs)/forebay", ["queue", "verify", "--path", queue])
    }

    private struct Line: Decodable {
        struct Event: Decodable {
            var id: Int
            var filler: String
        }

        var position: String
        var event: Event
    }

    /// Holds what `forebay queue cat` prints against the record; returns the sum of the lanes' ends.
    private func count(after image: String) throws -> (end: Int, rows: Int) {
        let text = try capture("\(yard.programs)/forebay", ["queue", "cat", "--path", queue])
        var times: [Int: Int] = [:]
        var ends: [String: Int] = [:]
        for line in text.split(separator: "\n") {
            let line = try JSONDecoder().decode(Line.self, from: Data(line.utf8))
            times[line.event.id, default: 0] += 1
            guard let request = requests.first(where: { $0.ids.contains(line.event.id) }) else {
                throw YardFault("an event that nobody sent: \(line.event.id)")
            }
            let filler = Request.filler(line.event.id, request.filler, isNoise: request.isNoise)
            guard line.event.filler == filler else { throw YardFault("event \(line.event.id) is not as it was sent") }
            // Offsets are dense within a lane.
            let parts = line.position.split(separator: ".")
            let (lane, offset) = (parts.dropLast().joined(separator: "."), parts.last.flatMap { Int($0) } ?? 0)
            if let end = ends[lane], offset != end + 1 { throw YardFault("\(line.position) follows \(end)") }
            ends[lane] = offset
        }
        for (index, request) in requests.enumerated() {
            let counts = Set(request.ids.map { times[$0] ?? 0 })
            let allowed: Set<Int> =
                switch request.outcome {
                case .acknowledged: request.isDelivered ? [0, 1] : [1]
                case .unanswered: [0, 1]
                case .refused, .unsent: [0]
                }
            guard counts.isSubset(of: allowed), counts.count <= 1 || request.isDelivered else {
                throw YardFault(
                    "request \(index) (\(request.outcome), key \(request.key ?? "none")) stands \(counts.sorted()) times in the queue\n"
                        + image
                )
            }
        }
        return (ends.values.reduce(0, +), times.count)
    }
}
