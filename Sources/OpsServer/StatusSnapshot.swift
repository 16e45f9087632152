import Glibc
package import Instruments

/// The state of a proxy at one moment. The runtime fills it; `/metrics`, `/v1/status`, the page and `forebay status` show it.
///
/// Counts are of this process unless said otherwise. In JSON the keys are in snake case.
package struct StatusSnapshot: Codable, Hashable, Sendable {
    /// Of the program.
    package var version = ""
    package var pid = Int(getpid())
    package var uptimeSeconds = 0.0
    /// The queue that new events go to.
    package var queue = ""
    package var health = Health()
    package var lanes: [Lane] = []
    package var conservation = Conservation()
    package var ingest = Ingest()
    package var disk = Disk()
    package var delivery = Delivery()
    package var cluster = Cluster()
    /// nil where there is no read port.
    package var reads: Reads?
    package var idempotency = Idempotency()
    package var process = Usage()

    package init() {}

    package struct Health: Codable, Hashable, Sendable {
        package var ingest = OpsCheck.passed
        /// The table of every stream is known.
        package var streams = OpsCheck.passed
        /// A primary is connected, or was when it was last needed.
        package var primary = OpsCheck.passed

        package init() {}

        /// What is wrong, ingest first.
        package var troubles: [String] {
            [ingest, streams, primary].filter { !$0.ok }.map { $0.reason ?? "not ready" }
        }
    }

    /// A lane of this queue, or of an older one that is being drained.
    package struct Lane: Codable, Hashable, Sendable {
        package var queue: String
        package var lane: Int
        /// A word for what the lane does, as `delivering`, `idle`, `waiting`, `isolating`, `held`, `read-only`.
        package var state: String
        /// Of the claim; 0 before the first.
        package var epoch: Int64 = 0
        package var durable: UInt64 = 0
        package var committed: UInt64 = 0
        /// nil where no replica is asked.
        package var replicated: UInt64?
        package var trimmed: UInt64 = 0
        /// Of the oldest event that is durable and not committed; 0 if there is none.
        package var oldestUnflushedSeconds = 0.0
        /// Why the lane does not get on.
        package var fault: String?

        /// Durable and not committed.
        package var queued: UInt64 { durable > committed ? durable - committed : 0 }

        package init(queue: String, lane: Int, state: String) {
            self.queue = queue
            self.lane = lane
            self.state = state
        }
    }

    /// accepted = committed + dead-lettered + queued, over the life of the queue directory (design, section 1).
    package struct Conservation: Codable, Hashable, Sendable {
        package var accepted: Int64 = 0
        package var committed: Int64 = 0
        /// Parked events are among them.
        package var deadLettered: Int64 = 0
        package var queued: Int64 = 0

        /// Events that are unaccounted for; anything but 0 is a fault of the program.
        package var difference: Int64 { accepted - committed - deadLettered - queued }

        package init() {}

        private enum CodingKeys: String, CodingKey {
            case accepted, committed, deadLettered, queued, difference
        }

        /// The difference is written for whoever reads the JSON.
        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(accepted, forKey: .accepted)
            try container.encode(committed, forKey: .committed)
            try container.encode(deadLettered, forKey: .deadLettered)
            try container.encode(queued, forKey: .queued)
            try container.encode(difference, forKey: .difference)
        }

        package init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            accepted = try container.decode(Int64.self, forKey: .accepted)
            committed = try container.decode(Int64.self, forKey: .committed)
            deadLettered = try container.decode(Int64.self, forKey: .deadLettered)
            queued = try container.decode(Int64.self, forKey: .queued)
        }
    }

    package struct Ingest: Codable, Hashable, Sendable {
        /// Durable and acknowledged.
        package var acceptedEvents = 0
        /// By reason, as `bad-json` or `unknown-field`.
        package var refusedEvents: [String: Int] = [:]
        /// Answers by status code, as `200`, or by class, as `2xx`.
        package var httpRequests: [String: Int] = [:]
        package var tcpLines = 0
        /// Open ones by listener, as `http` and `tcp`.
        package var connections: [String: Int] = [:]
        package var inFlightBytes = 0
        /// From the last byte of a request to its answer, in microseconds.
        package var ackMicroseconds = HistogramReading()

        package init() {}
    }

    package struct Disk: Codable, Hashable, Sendable {
        package var bytes = 0
        package var maxBytes = 0
        /// Ingest is refused for want of space.
        package var isFull = false
        package var groupCommitEvents = HistogramReading()
        package var groupCommitBytes = HistogramReading()
        package var fsyncMicroseconds = HistogramReading()

        package init() {}
    }

    package struct Delivery: Codable, Hashable, Sendable {
        package var committedRows = 0
        package var flushRows = HistogramReading()
        package var flushMicroseconds = HistogramReading()
        package var claims = 0
        /// Claims that were lost to another session.
        package var fenced = 0
        /// How often a claim found the ledger further back than it had been.
        package var rewinds = 0
        /// Rows that were committed before and were sent again for it.
        package var resentRows = 0
        /// Events that can't be delivered any more, or are not to be: lost on the disk, trimmed before a failover needed them, or skipped by order. As
        /// long as their letters stand in the store, that is until they are discarded.
        package var lostEvents = 0
        /// By class, as the first two characters of the SQLSTATE, or `connection`.
        package var faults: [String: Int] = [:]
        package var deadLettered = 0
        /// Events in the store now, those of parked streams aside.
        package var deadLetters = 0
        /// Events of streams that failed as a whole, now.
        package var parkedEvents = 0

        package init() {}
    }

    /// The nodes of PostgreSQL, and what follows from what they say.
    package struct Cluster: Codable, Hashable, Sendable {
        /// The node that is written to; nil if there is none.
        package var primary: String?
        /// Why there is none.
        package var obstacle: String?
        /// As remembered; decimal.
        package var systemIdentifier: String?
        /// The highest that was seen.
        package var timeline: Int?
        /// `whole`, `holding` or `degraded`.
        package var replication = ""
        package var primaryChanges = 0
        package var degradations = 0
        package var nodes: [Node] = []

        package init() {}
    }

    package struct Node: Codable, Hashable, Sendable {
        package var node: String
        /// `primary`, `replica`, `abandoned primary`, `wrong cluster`, or why it does not answer: `down`, `hung`, `refusing`, `wrong password`,
        /// `not allowed`, `too many connections`, `broken`.
        package var state: String
        /// It is written to.
        package var isPrimary = false
        /// What it said instead of an answer, or what is wrong though it answers.
        package var reason: String?
        /// It answers, and takes long to.
        package var isSlow = false
        /// From the last question to its answer.
        package var answerSeconds: Double?
        package var timeline: Int?
        /// LSN, written or replayed; of its own timeline.
        package var position: String?
        package var lagSeconds: Double?
        package var isReceiving: Bool?
        /// The lanes' rows as a query there sees them.
        package var ledger: [String: ShownLedger] = [:]
        /// Since it was asked.
        package var ageSeconds = 0.0

        package init(node: String, state: String) {
            self.node = node
            self.state = state
        }
    }

    /// The read port.
    package struct Reads: Codable, Hashable, Sendable {
        package var clients = 0
        package var clientsAccepted = 0
        package var clientsRefused = 0
        package var loginsFailed = 0
        /// Clients that wait for a connection to a node.
        package var waiting = 0
        /// Sessions, where whole sessions are pooled.
        package var transactions = 0
        package var primaryReads = 0
        package var reruns = 0
        /// Transactions that found no node in time.
        package var refusals = 0
        package var pins = 0
        package var cancels = 0
        package var backendFaults = 0
        package var waitMicroseconds = HistogramReading()
        package var nodes: [ReadNode] = []

        package init() {}
    }

    package struct ReadNode: Codable, Hashable, Sendable {
        package var node: String
        /// `ready`, `behind`, `primary`, `astray`, `foreign` or `away`.
        package var standing: String
        package var inUse = 0
        package var idle = 0
        package var opened = 0
        package var failed = 0

        package init(node: String, standing: String) {
            self.node = node
            self.standing = standing
        }
    }

    package struct ShownLedger: Codable, Hashable, Sendable {
        package var epoch: Int64
        package var position: UInt64

        package init(epoch: Int64, position: UInt64) {
            self.epoch = epoch
            self.position = position
        }
    }

    package struct Idempotency: Codable, Hashable, Sendable {
        package var keys = 0
        /// Keys forgotten before their window had passed, for want of room.
        package var evictedEarly = 0
        /// Requests that were answered as a repeat.
        package var repeats = 0

        package init() {}
    }

    package struct Usage: Codable, Hashable, Sendable {
        package var residentBytes = 0
        package var cpuSeconds = 0.0
        package var openFiles = 0

        package init() {}

        package init(_ usage: ProcessUsage) {
            residentBytes = usage.residentBytes
            cpuSeconds = usage.cpuSeconds
            openFiles = usage.openFiles
        }
    }
}

/// The result of a check, with the reason if it failed.
package struct OpsCheck: Codable, Hashable, Sendable {
    package var ok: Bool
    /// A clause; nil if `ok`.
    package var reason: String?

    package static let passed = OpsCheck(ok: true, reason: nil)

    package static func failed(_ reason: String) -> OpsCheck {
        OpsCheck(ok: false, reason: reason)
    }
}
