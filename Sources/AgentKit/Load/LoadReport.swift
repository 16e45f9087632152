import Histogram

/// What a load run came to.
package struct LoadReport: Sendable, Encodable {
    /// Over the measured part.
    package struct Usage: Sendable {
        package var generatorCPU: Duration
        package var proxyCPU: Duration?
        package var proxyPeakBytes: Int?

        package init(generatorCPU: Duration, proxyCPU: Duration? = nil, proxyPeakBytes: Int? = nil) {
            self.generatorCPU = generatorCPU
            self.proxyCPU = proxyCPU
            self.proxyPeakBytes = proxyPeakBytes
        }
    }

    /// In milliseconds, from the intended start to the acknowledgement.
    package struct Latency: Hashable, Sendable, Encodable {
        package var p50: Double
        package var p90: Double
        package var p99: Double
        package var p999: Double
        package var max: Double
    }

    package var wire: LoadPlan.Wire
    /// Events a second that were asked for; nil in a closed loop.
    package var targetRate: Double?
    package var connections: Int
    package var batch: Int
    package var depth: Int
    package var keys: Bool
    package var seconds: Double
    package var bytesPerEvent: Double
    package var acknowledged: Int
    /// In the whole run, the warm-up and the time after the end included: as many rows must arrive.
    package var acknowledgedInAll: Int
    package var eventsPerSecond: Double
    package var megabytesPerSecond: Double
    package var latency: Latency
    package var statuses: [String: Int]
    package var faults: [String: Int]
    package var unanswered: Int
    package var generatorCPUSecondsPerMillion: Double?
    package var proxyCPUSecondsPerMillion: Double?
    /// 1 is one processor fully used.
    package var proxyProcessors: Double?
    package var proxyPeakMebibytes: Double?

    /// Every request was acknowledged.
    package var isClean: Bool {
        acknowledged > 0 && unanswered == 0 && statuses.keys.allSatisfy { $0 == "200" || $0 == "204" }
    }

    package init(plan: LoadPlan, statistics: LoadStatistics, bytesPerRequest: Int, usage: Usage) {
        wire = plan.wire
        targetRate = plan.rate
        connections = plan.connections
        batch = plan.batch
        depth = plan.depth
        keys = plan.keys
        seconds = plan.duration / .seconds(1)
        bytesPerEvent = Double(bytesPerRequest) / Double(plan.batch)
        acknowledged = statistics.acknowledged
        acknowledgedInAll = statistics.acknowledgedInAll
        eventsPerSecond = Double(statistics.acknowledged) / seconds
        megabytesPerSecond = eventsPerSecond * bytesPerEvent / 1e6
        let histogram = statistics.latency
        func milliseconds(_ percentile: Double) -> Double {
            Double(histogram.valueAtPercentile(percentile)) / 1e6
        }
        latency = Latency(
            p50: milliseconds(50),
            p90: milliseconds(90),
            p99: milliseconds(99),
            p999: milliseconds(99.9),
            max: histogram.totalCount > 0 ? Double(histogram.maxRecorded) / 1e6 : 0
        )
        statuses = Dictionary(uniqueKeysWithValues: statistics.statuses.map { (String($0.key), $0.value) })
        faults = statistics.faults
        unanswered = statistics.unanswered
        let millions = Double(statistics.acknowledged) / 1e6
        if millions > 0 {
            generatorCPUSecondsPerMillion = usage.generatorCPU / .seconds(1) / millions
            proxyCPUSecondsPerMillion = usage.proxyCPU.map { $0 / .seconds(1) / millions }
        }
        proxyProcessors = usage.proxyCPU.map { $0 / .seconds(1) / (plan.duration / .seconds(1)) }
        proxyPeakMebibytes = usage.proxyPeakBytes.map { Double($0) / Double(1 << 20) }
    }
}
