import AgentKit
import Glibc
import ProvingGround

/// What `pgbench` does in a part of a round, and what is measured of it.
struct SelectLoad {
    /// pgbench's `-M`.
    enum Mode: String {
        case simple
        case prepared
    }

    var mode: Mode
    var clients: Int

    static let all = [
        SelectLoad(mode: .simple, clients: 8), SelectLoad(mode: .simple, clients: 64),
        SelectLoad(mode: .prepared, clients: 8), SelectLoad(mode: .prepared, clients: 64),
    ]

    var rate: Measure {
        Measure(
            key: "\(mode)\(clients)",
            title: "\(mode) \(clients): statements/s",
            unit: "statements a second, \(clients) connections, -M \(mode)",
            decimals: 0
        )
    }

    var cpu: Measure {
        Measure(
            key: "\(mode)\(clients)CPU",
            title: "\(mode) \(clients): CPU s/100,000",
            unit: "CPU seconds of the proxy a hundred thousand statements",
            decimals: 2
        )
    }
}

/// `pgbench -S` as the reader, at whatever listens on a port.
final class Selects: Contender {
    let name: String
    let note: String
    private let yard: Yard
    private let seconds: Int
    private let port: Int
    private let process: pid_t?
    private let modes: [SelectLoad.Mode]

    /// - Parameter process: the proxy's, whose CPU time is measured; nil if there is no proxy.
    init(
        _ yard: Yard,
        _ seconds: Int,
        name: String,
        note: String,
        port: Int,
        process: pid_t? = nil,
        modes: [SelectLoad.Mode] = [.simple, .prepared]
    ) {
        self.yard = yard
        self.seconds = seconds
        self.name = name
        self.note = note
        self.port = port
        self.process = process
        self.modes = modes
    }

    func round(isLast: Bool) async throws -> Sample {
        var sample: Sample = [:]
        for load in SelectLoad.all where modes.contains(load.mode) {
            let before = try used()
            let (statements, rate) = try run(load)
            sample[load.rate.key] = rate
            if let before, let after = try used() {
                sample[load.cpu.key] = (after - before) / .seconds(1) / (statements / 1e5)
            }
        }
        return sample
    }

    private func used() throws -> Duration? {
        guard let process else { return nil }
        guard let usage = ProcessUsage(pid: Int(process)) else { throw YardFault("\(name) has ended") }
        return usage.cpu
    }

    /// - Returns: how many statements there were, and how many a second.
    private func run(_ load: SelectLoad) throws -> (statements: Double, rate: Double) {
        let output = try capture(
            "pgbench",
            ["-S", "-n", "-M", load.mode.rawValue, "-c", "\(load.clients)", "-j", "2", "-T", "\(seconds)"],
            environment: yard.reader.merging(["PGPORT": "\(port)"]) { $1 }
        )
        let statements = Self.figure(behind: "number of transactions actually processed: ", in: output)
        let rate = Self.figure(behind: "tps = ", in: output)
        guard let statements, let rate, Self.figure(behind: "number of failed transactions: ", in: output) == 0 else {
            throw YardFault("pgbench at \(name) says:\n\(output)")
        }
        return (statements, rate)
    }

    private static func figure(behind label: String, in text: String) -> Double? {
        for line in text.split(separator: "\n") where line.hasPrefix(label) {
            return Double(line.dropFirst(label.count).prefix { $0.isNumber || $0 == "." })
        }
        return nil
    }
}
