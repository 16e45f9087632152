extension LoadReport {
    /// The report for people.
    package var text: String {
        let load =
            targetRate.map { "\(grouped(Int($0))) events/s in an open loop" } ?? "as fast as acknowledgements allow"
        var lines = [
            "\(wire.rawValue), \(load); \(connections) connections, \(batch) events a request"
                + (depth > 1 ? ", \(depth) requests deep" : "") + (keys ? ", with keys" : ""),
            "acknowledged   \(grouped(acknowledged)) events in \(fixed(seconds, 1)) s: "
                + "\(grouped(Int(eventsPerSecond))) events/s, \(fixed(megabytesPerSecond, 1)) MB/s "
                + "(\(fixed(bytesPerEvent, 0)) bytes an event)",
            "latency        p50 \(fixed(latency.p50, 3)) ms, p90 \(fixed(latency.p90, 3)), p99 \(fixed(latency.p99, 3)), "
                + "p99.9 \(fixed(latency.p999, 3)), max \(fixed(latency.max, 3)) (from the intended start)",
            "answers        " + (statuses.isEmpty ? "none" : counts(statuses)),
        ]
        if unanswered > 0 {
            lines.append("unanswered     \(grouped(unanswered)) requests")
        }
        if !faults.isEmpty {
            lines.append("faults         " + counts(faults))
        }
        if let proxyCPUSecondsPerMillion, let proxyProcessors, let proxyPeakMebibytes {
            lines.append(
                "proxy          \(fixed(proxyCPUSecondsPerMillion, 3)) CPU s per million events, "
                    + "\(fixed(proxyProcessors, 2)) processors, peak RSS \(fixed(proxyPeakMebibytes, 1)) MiB"
            )
        }
        if let generatorCPUSecondsPerMillion {
            lines.append("generator      \(fixed(generatorCPUSecondsPerMillion, 3)) CPU s per million events")
        }
        return lines.joined(separator: "\n")
    }

    private func counts(_ values: [String: Int]) -> String {
        values.sorted { $0.key < $1.key }.map { "\($0.key): \(grouped($0.value))" }.joined(separator: ", ")
    }
}

/// `value` with a fixed number of decimals, 0 to 6.
package func fixed(_ value: Double, _ decimals: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    guard value.isFinite, abs(value) * scale < 1e18 else { return "\(value)" }
    let scaled = Int((abs(value) * scale).rounded())
    var digits = String(scaled)
    while digits.count <= decimals { digits = "0" + digits }
    if decimals > 0 {
        digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -decimals))
    }
    return value < 0 && scaled > 0 ? "-" + digits : digits
}
