package import Histogram

/// What one thread of the load generator has counted. Owned by one event loop until the run has ended.
package struct LoadStatistics: Sendable {
    /// Nanoseconds from the intended start to the acknowledgement, of requests meant to start in the measured part.
    package private(set) var latency = Histogram<UInt64>(
        lowestDiscernibleValue: 1000,
        highestTrackableValue: 600_000_000_000,
        numberOfSignificantValueDigits: .three
    )
    /// Events whose acknowledgement came within the measured part.
    package private(set) var acknowledged = 0
    /// Events acknowledged in the whole run.
    package private(set) var acknowledgedInAll = 0
    /// Answers to requests meant to start in the measured part, by status.
    package private(set) var statuses: [Int: Int] = [:]
    /// Connections that broke or did not come about, by reason.
    package private(set) var faults: [String: Int] = [:]
    /// Requests meant to start in the measured part that were never answered.
    package private(set) var unanswered = 0

    package init() {
        latency.autoResize = true
    }

    /// - Parameters:
    ///   - intended: when the request was meant to start.
    ///   - now: when the answer was read; both since the start of the run.
    package mutating func answered(status: Int, events: Int, intended: Duration, now: Duration, plan: LoadPlan) {
        let isMeasured = intended >= plan.warmup && intended < plan.end
        if isMeasured {
            statuses[status, default: 0] += 1
        }
        guard status == 200 || status == 204 else { return }
        acknowledgedInAll += events
        if isMeasured {
            latency.record(UInt64(max(0, (now - intended) / .nanoseconds(1))))
        }
        if now >= plan.warmup, now < plan.end {
            acknowledged += events
        }
    }

    package mutating func lost(intended: Duration, plan: LoadPlan) {
        if intended >= plan.warmup, intended < plan.end {
            unanswered += 1
        }
    }

    package mutating func fault(_ reason: String) {
        faults[reason, default: 0] += 1
    }

    package mutating func add(_ other: LoadStatistics) {
        latency.add(other.latency)
        acknowledged += other.acknowledged
        acknowledgedInAll += other.acknowledgedInAll
        statuses.merge(other.statuses, uniquingKeysWith: +)
        faults.merge(other.faults, uniquingKeysWith: +)
        unanswered += other.unanswered
    }
}
