import AgentKit
import ArgumentParser
import Glibc

struct SeedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seed",
        abstract:
            "Generate realistic API requests: 40 services, 400 endpoints, heavy tails, bursts of errors, day and night.",
        discussion: """
            The events go straight into PostgreSQL's table by COPY, each batch in a transaction; the connection is that of libpq's \
            environment (PGHOST, PGUSER, PGDATABASE, …) or --postgres. With --via-api they go through a proxy, each batch until it \
            is acknowledged. With --out they are written as lines of JSON. Equal seeds, counts and time ranges give equal events.

            SIGINT and SIGTERM end the generation, finish what is under way, and print the summary.

            Examples:
              PGHOST=127.0.0.1 PGUSER=postgres PGDATABASE=apm forebay seed --count 1000000 --from -7d
              forebay seed --via-api --count 1000000
              forebay seed --via-api --count 60000 --rate 1000 --from now --to +1m
              forebay seed --count 1000 --seed 7 --from 2026-01-01 --to 2026-01-02 --out -
            """
    )

    @Option(help: "How many events.")
    var count = 100_000

    @Option(help: "Events in a request, or in a transaction.")
    var batchSize = 1000

    @Flag(help: "Send the events to a proxy.")
    var viaApi = false

    @OptionGroup var proxy: ProxyOptions

    @Option(help: "Events a second. Without it: as fast as they are taken.")
    var rate: Double?

    @Option(parsing: .unconditional, help: "Begin of the time range: 2026-01-31, 2026-01-31T12:00:00Z, now, -7d, -90m.")
    var from = "-24h"

    @Option(parsing: .unconditional, help: "End of the time range.")
    var to = "now"

    @Option(help: "Equal seeds give equal events.")
    var seed: UInt64 = 1

    @Option(help: "Requests under way at once with --via-api, else connections to PostgreSQL.")
    var parallel = 2

    @Option(help: "Connection string of libpq. Without it: the environment.")
    var postgres = ""

    @Option(help: "Table for the events, as SQL text.")
    var table = "public.apirequests"

    @Option(help: "Write the events as lines of JSON to this file; '-' for standard output.")
    var out: String?

    @Flag(name: .shortAndLong, help: "Show no progress.")
    var quiet = false

    func validate() throws {
        guard count > 0 else { throw ValidationError("--count must be above 0") }
        guard (1...100_000).contains(batchSize) else { throw ValidationError("--batch-size must be 1 to 100000") }
        guard (1...64).contains(parallel) else { throw ValidationError("--parallel must be 1 to 64") }
        if let rate, !(rate > 0) { throw ValidationError("--rate must be above 0") }
        if viaApi && out != nil { throw ValidationError("--via-api and --out exclude each other") }
    }

    func run() async throws {
        let range = try timeRange()
        let stop = StopSignal()
        let tally = SendTally()
        let printer = ProgressPrinter(quiet: quiet)
        let client =
            viaApi
            ? IngestClient(settings: try proxy.clientSettings(timeout: .seconds(30)), connections: parallel) : nil
        let run = SeedRun(
            generator: RequestGenerator(seed: seed, count: count, from: range.lowerBound, to: range.upperBound),
            batchSize: batchSize,
            rate: rate,
            sink: try sink(client, tally, printer),
            stop: stop,
            tally: tally
        )
        let work = Task { try await run.run() }
        stop.catchSignals(again: { work.cancel() })
        let total = count
        let display = Task {
            await printer.run { elapsed in
                let counts = tally.snapshot
                return Progress(done: counts.lines, total: total, elapsed: elapsed, note: counts.trouble ?? "")
            }
        }
        let outcome = await work.result
        display.cancel()
        await display.value
        await client?.close()
        let counts = tally.snapshot
        printer.say(Progress(done: counts.lines, total: counts.lines, elapsed: printer.elapsed).text)
        if counts.refused > 0 {
            printer.say("\(grouped(counts.refused)) of them were refused")
        }
        try outcome.get()
        if counts.refused > 0 { throw ExitCode(1) }
    }

    private func timeRange() throws -> Range<Timestamp> {
        let now = Timestamp.now
        guard let begin = Timestamp(argument: from, now: now) else {
            throw ValidationError(
                "--from: '\(from)' is no time; expected a form like 2026-01-31T12:00:00Z, now or -24h"
            )
        }
        guard let end = Timestamp(argument: to, now: now) else {
            throw ValidationError("--to: '\(to)' is no time; expected a form like 2026-01-31T12:00:00Z, now or -24h")
        }
        guard begin < end else { throw ValidationError("--from (\(begin)) must be before --to (\(end))") }
        return begin..<end
    }

    private func sink(_ client: IngestClient?, _ tally: SendTally, _ printer: ProgressPrinter) throws -> any SeedSink {
        if let client {
            let courier = Courier(
                transport: client,
                policy: BatchDelivery.Policy(),
                tally: tally,
                refused: { place, reason in printer.say("event of \(place): \(reason)") }
            )
            return APISeedSink(courier: courier, keyPrefix: "seed-\(freshRunName())", parallelism: parallel)
        }
        guard let out else {
            return CopySeedSink(
                connections: try (0..<parallel).map { _ in try BareCopy(connectionString: postgres, table: table) }
            )
        }
        if out == "-" { return FileSeedSink(descriptor: STDOUT_FILENO) }
        let descriptor = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw InputFault(name: out, code: errno) }
        return FileSeedSink(descriptor: descriptor)
    }
}
