import Glibc

/// What a process has used, from /proc (proc(5)).
package struct ProcessUsage: Hashable, Sendable {
    /// User and system time since the start of the process.
    package var cpu: Duration
    package var residentBytes: Int
    /// The highest since the start of the process.
    package var peakResidentBytes: Int

    /// Nil if there is no such process.
    package init?(pid: Int) {
        guard let stat = Self.contents("/proc/\(pid)/stat"), let status = Self.contents("/proc/\(pid)/status") else {
            return nil
        }
        self.init(stat: stat, status: status, ticksPerSecond: sysconf(Int32(_SC_CLK_TCK)))
    }

    /// What several processes have used together. Nil if one of them is gone, or if there are none.
    package init?(of processes: [Int]) {
        let usages = processes.compactMap { ProcessUsage(pid: $0) }
        guard let first = usages.first, usages.count == processes.count else { return nil }
        self = usages.dropFirst().reduce(into: first) { sum, usage in
            sum.cpu += usage.cpu
            sum.residentBytes += usage.residentBytes
            sum.peakResidentBytes += usage.peakResidentBytes
        }
    }

    /// - Parameters:
    ///   - stat: the line of `/proc/<pid>/stat`; the name, in parentheses, may hold anything.
    ///   - status: the lines of `/proc/<pid>/status`.
    package init?(stat: String, status: String, ticksPerSecond: Int) {
        guard let name = stat.lastIndex(of: ")") else { return nil }
        // After the name comes field 3; utime and stime are fields 14 and 15, in clock ticks.
        let fields = stat[stat.index(after: name)...].split(separator: " ")
        guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else { return nil }
        guard let resident = Self.kibibytes("VmRSS:", in: status), let peak = Self.kibibytes("VmHWM:", in: status)
        else {
            return nil
        }
        cpu = .nanoseconds(Int64(user + system) * 1_000_000_000 / Int64(ticksPerSecond))
        residentBytes = resident * 1024
        peakResidentBytes = peak * 1024
    }

    /// User and system time of this process.
    package static var ownCPU: Duration {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let seconds = Int64(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        return .seconds(seconds) + .microseconds(Int64(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec))
    }

    private static func kibibytes(_ name: String, in status: String) -> Int? {
        for line in status.split(separator: "\n") where line.hasPrefix(name) {
            return line.dropFirst(name.count).split(whereSeparator: { $0 == " " || $0 == "\t" }).first.flatMap {
                Int($0)
            }
        }
        return nil
    }

    private static func contents(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 14)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return nil }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
