import Foundation

/// The time that a hypervisor kept the processors from this machine: all of it stands still meanwhile, and every request waits.
struct StolenTime {
    private struct Reading {
        /// Of all processors, in ticks; what guests of this machine use is counted in user time already.
        var all: Double
        var stolen: Double
    }

    private let start = Self.read()

    /// Since this value was made, in hundredths of the processors' time; nil where /proc/stat does not tell.
    var percent: Double? {
        guard let start, let now = Self.read(), now.all > start.all else { return nil }
        return (now.stolen - start.stolen) / (now.all - start.all) * 100
    }

    /// The line `cpu` of proc(5): user, nice, system, idle, iowait, irq, softirq, steal, and two that are parts of the first two.
    private static func read() -> Reading? {
        guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8) else { return nil }
        let ticks = text.prefix { $0 != "\n" }.split(separator: " ").dropFirst().prefix(8).compactMap { Double($0) }
        guard ticks.count == 8 else { return nil }
        return Reading(all: ticks.reduce(0, +), stolen: ticks[7])
    }
}
