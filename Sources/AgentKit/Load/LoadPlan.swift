/// What `forebay bench` is to do.
package struct LoadPlan: Sendable {
    package enum Wire: String, Sendable, CaseIterable, Encodable {
        case http
        case tcp
    }

    package var host: String
    package var port: Int
    package var wire: Wire
    package var stream: String
    package var token: String?
    /// Events a second over all connections; nil for a closed loop.
    package var rate: Double?
    package var connections: Int
    /// Events in a request.
    package var batch: Int
    /// Requests under way on one connection at once.
    package var depth: Int
    /// Before the measured part.
    package var warmup: Duration
    /// The measured part.
    package var duration: Duration
    /// After it, how long outstanding answers are waited for.
    package var patience: Duration
    /// Each request carries an idempotency key of its own.
    package var keys: Bool
    /// Each event's trace id is `<run><number>`, so that rows can be counted by it.
    package var uniqueTraces: Bool
    /// Each event carries the time at which its request is sent, so that a long run fills a table as time does.
    package var currentTimes: Bool
    /// Threads of the load generator.
    package var threads: Int
    package var seed: UInt64
    /// The time that the generated events carry, unless they carry the current one.
    package var eventTime: Timestamp
    /// 64 bits that no other run has.
    package var run: UInt64

    package init(
        host: String,
        port: Int,
        wire: Wire = .http,
        stream: String = "apirequests",
        token: String? = nil,
        rate: Double? = nil,
        connections: Int = 8,
        batch: Int = 100,
        depth: Int = 1,
        warmup: Duration = .seconds(2),
        duration: Duration = .seconds(10),
        patience: Duration = .seconds(10),
        keys: Bool = false,
        uniqueTraces: Bool = false,
        currentTimes: Bool = false,
        threads: Int = 1,
        seed: UInt64 = 1,
        eventTime: Timestamp,
        run: UInt64
    ) {
        self.host = host
        self.port = port
        self.wire = wire
        self.stream = stream
        self.token = token
        self.rate = rate
        self.connections = connections
        self.batch = batch
        self.depth = depth
        self.warmup = warmup
        self.duration = duration
        self.patience = patience
        self.keys = keys
        self.uniqueTraces = uniqueTraces
        self.currentTimes = currentTimes
        self.threads = threads
        self.seed = seed
        self.eventTime = eventTime
        self.run = run
    }

    /// When the last request starts, since the start of the run.
    package var end: Duration { warmup + duration }

    /// What the trace ids of this run begin with, if they are unique.
    package var tracePrefix: String {
        var digits: [UInt8] = []
        digits.append(hexadecimal: run, digits: 16)
        return String(decoding: digits, as: UTF8.self)
    }

    package func schedule(of connection: Int) -> LoadSchedule {
        LoadSchedule(rate: rate.map { $0 / Double(batch) }, connection: connection, of: connections, end: end)
    }
}
