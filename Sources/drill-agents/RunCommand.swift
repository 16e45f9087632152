import AgentKit
import ArgumentParser
import Glibc

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Send numbered events until SIGTERM, resending each batch until it is acknowledged.",
        discussion: """
            On SIGTERM or SIGINT, after --seconds, or when the file of --until-file exists, no new batch is begun; those under way \
            are sent until they are acknowledged. A second signal abandons them. The summary is a line of JSON on standard output.

            Exit codes: 0 all acknowledged; 1 an agent met what no resending mends, or batches were abandoned; 64 wrong usage.
            """
    )

    @Option(help: "How many agents.")
    var agents = 8

    @Option(help: "The proxy's ingest port over HTTP.")
    var url = "http://127.0.0.1:4318"

    @Option(help: "Send over TCP to this address, as 127.0.0.1:5170, instead of over HTTP.")
    var tcp: String?

    @Option(help: "Stream to send to.")
    var stream = "apirequests"

    @Option(help: "Bearer token.")
    var token: String?

    @Flag(inversion: .prefixedNo, help: "Send with idempotency keys.")
    var keys = true

    @Option(help: "End after so many seconds.")
    var seconds: Double?

    @Option(help: "End when this file exists.")
    var untilFile: String?

    @Option(help: "Events a second over all agents. Without it: as fast as acknowledgements allow.")
    var rate: Double?

    @Option(help: "Events in a batch, at most.")
    var largestBatch = 200

    @Option(help: "Bytes of random text in each event besides the generated ones.")
    var padding = 0

    @Option(help: "Directory for the journals; it is made if it does not exist.")
    var journal: String

    @Option(help: "Name of the run, letters and digits, which the events' ids begin with. Without it: from the clock.")
    var run: String?

    @Option(help: "Seed of batch sizes and events.")
    var seed: UInt64 = 1

    @Option(help: "Seconds for one request.")
    var timeout = 10.0

    func validate() throws {
        guard (1...1000).contains(agents) else { throw ValidationError("--agents must be 1 to 1000") }
        guard (1...10_000).contains(largestBatch) else { throw ValidationError("--largest-batch must be 1 to 10000") }
        guard (0...1_000_000).contains(padding) else { throw ValidationError("--padding must be 0 to 1000000") }
        guard timeout > 0, timeout < 86_400 else { throw ValidationError("--timeout must be above 0 and below 86400") }
        if let rate, !(rate > 0) { throw ValidationError("--rate must be above 0") }
        if let seconds, !(seconds > 0) { throw ValidationError("--seconds must be above 0") }
        if let run, !DrillID.isRunName(run) { throw ValidationError("--run must have 1 to 32 letters and digits") }
        if let tcp, Self.address(tcp) == nil { throw ValidationError("--tcp must be HOST:PORT, found '\(tcp)'") }
    }

    func run() async throws {
        guard mkdir(journal, 0o755) == 0 || errno == EEXIST else { throw InputFault(name: journal, code: errno) }
        let name = run ?? "d\(String(Timestamp.now.microseconds, radix: 36))"
        let tally = DrillTally(run: name, agents: agents)
        let stop = StopSignal()
        let transports = (0..<agents).map { _ in transport() }
        let crew = transports.enumerated().map { number, transport in
            DrillAgent(
                settings: DrillAgent.Settings(
                    run: name,
                    number: number,
                    journalDirectory: journal,
                    keys: keys,
                    largestBatch: largestBatch,
                    padding: padding,
                    rate: rate.map { $0 / Double(agents) },
                    seed: seed,
                    eventTime: .now
                ),
                transport: transport,
                tally: tally,
                stop: stop
            )
        }
        let work = Task {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for agent in crew {
                    group.addTask { try await agent.run() }
                }
                try await group.waitForAll()
            }
        }
        let limit = Task { await waitForEnd(stop) }
        stop.catchSignals(again: { work.cancel() })
        let outcome = await work.result
        limit.cancel()
        await limit.value
        for transport in transports {
            await transport.close()
        }
        try outcome.get()
        let summary = tally.summary
        try printJSON(summary)
        if summary.failure != nil || summary.abandonedBatches > 0 { throw ExitCode(1) }
    }

    /// Raises the signal at the end that was asked for.
    private func waitForEnd(_ stop: StopSignal) async {
        let end = seconds.map { ContinuousClock.now + .seconds($0) }
        while !Task.isCancelled {
            let isOver = end.map { ContinuousClock.now >= $0 } ?? false
            if isOver || untilFile.map({ access($0, F_OK) == 0 }) ?? false {
                stop.raise()
                return
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    private func transport() -> any BatchTransport {
        if let address = tcp.flatMap({ Self.address($0) }) {
            return LineTransport(
                settings: LineTransport.Settings(
                    host: address.host,
                    port: address.port,
                    stream: stream,
                    token: token,
                    timeout: .seconds(timeout)
                )
            )
        }
        // A client of its own for each agent, as agents have no connections in common.
        return IngestClient(
            settings: IngestClient.Settings(
                url: url,
                stream: stream,
                token: token,
                timeout: .seconds(timeout),
                skipsBadEvents: false
            ),
            connections: 1
        )
    }

    private static func address(_ text: String) -> (host: String, port: Int)? {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65_535).contains(port), colon != text.startIndex
        else { return nil }
        return (String(text[..<colon]), port)
    }
}
