import AgentKit
import ArgumentParser
import Glibc

struct SendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send",
        abstract: "Send lines of JSON from standard input or files to a proxy, and resend until it has them.",
        discussion: """
            Each line is one event. Lines go out in batches, each under an idempotency key; a batch is sent again with the same \
            key after any failure, until the proxy has acknowledged it, so that no event is lost or doubled on the way. \
            While the proxy is away, reading stops, and with it the writer of the pipe.

            An event that the proxy refuses is reported on standard error with its line and the reason; the others go on. \
            SIGINT and SIGTERM stop the reading, finish what was read, and print the summary; a second one abandons the rest. \
            Should this process itself be killed, the events that it had read and that were not acknowledged are the \
            feeding program's to send again: a file can be sent again with --key-prefix of the first run, and what had \
            arrived is then taken for a repetition.

            Exit codes: 0 all acknowledged; 1 some events were refused; 2 some events were not acknowledged; 64 wrong usage; \
            66 an input cannot be opened.

            Examples:
              forebay send access.json
              tail -n +1 -F /var/log/nginx/access.json | forebay send --stream apirequests

            nginx writes such a log with fields named as the stream's columns:
              log_format forebay escape=json
                '{"time":"$time_iso8601","service":"web","endpoint":"$uri",'
                '"method":"$request_method","status_code":$status,'
                '"latency_ms":$request_time_ms,"trace_id":"$request_id",'
                '"request_bytes":$request_length,"response_bytes":$bytes_sent,'
                '"client_ip":"$remote_addr","user_agent":"$http_user_agent"}';
              map $request_time $request_time_ms {
                "~^0\\.0*(?<ms>[1-9][0-9]*|0)$" $ms;
                "~^(?<s>[0-9]+)\\.(?<frac>[0-9]{3})$" $s$frac;
              }
              access_log /var/log/nginx/access.json forebay;
            The map turns nginx's seconds with three decimals into milliseconds.
            """
    )

    @Argument(help: "Files to send, one after another; '-' or none for standard input.")
    var files: [String] = []

    @OptionGroup var proxy: ProxyOptions

    @Option(help: "Events in a request, at most.")
    var batchSize = 1000

    @Option(help: "Bytes in a request, at most.")
    var batchBytes = 1 << 20

    @Option(help: "Milliseconds that a line from a pipe waits for others.")
    var linger = 200

    @Option(help: "Requests under way at once. With more than 1, order between requests is not kept.")
    var parallel = 1

    @Option(help: "Seconds after which a batch that is not acknowledged ends the run. Without it: never.")
    var giveUpAfter: Double?

    @Option(help: "Seconds for one request.")
    var timeout = 30.0

    @Option(help: "Begin of the idempotency keys. Without it: a new one.")
    var keyPrefix: String?

    @Flag(help: "End at the first event that is refused.")
    var strict = false

    @Flag(help: "Print the summary as JSON on standard output.")
    var json = false

    @Flag(name: .shortAndLong, help: "Show no progress.")
    var quiet = false

    func validate() throws {
        guard (1...100_000).contains(batchSize) else { throw ValidationError("--batch-size must be 1 to 100000") }
        guard (1024...(1 << 28)).contains(batchBytes) else {
            throw ValidationError("--batch-bytes must be 1024 to 268435456")
        }
        guard (0...60_000).contains(linger) else { throw ValidationError("--linger must be 0 to 60000 milliseconds") }
        guard (1...64).contains(parallel) else { throw ValidationError("--parallel must be 1 to 64") }
        guard timeout > 0, timeout < 86_400 else {
            throw ValidationError("--timeout must be above 0 and below 86400 seconds")
        }
        if let giveUpAfter, !(giveUpAfter >= 0) { throw ValidationError("--give-up-after must not be negative") }
        if let keyPrefix, keyPrefix.isEmpty || keyPrefix.utf8.count > 100 {
            throw ValidationError("--key-prefix must have 1 to 100 characters")
        }
    }

    func run() async throws {
        let stop = StopSignal()
        let inputs: [InputReader]
        do {
            inputs = try open(stop: stop)
        } catch {
            ProgressPrinter().say("\(error)")
            throw ExitCode(66)
        }
        let tally = SendTally()
        let printer = ProgressPrinter(quiet: quiet)
        let client = IngestClient(settings: try proxy.clientSettings(timeout: .seconds(timeout)), connections: parallel)
        let courier = Courier(
            transport: client,
            policy: BatchDelivery.Policy(giveUpAfter: giveUpAfter.map { .seconds($0) }),
            strict: strict,
            tally: tally,
            refused: { place, reason in printer.say("\(place): \(reason)") }
        )
        let sender = Sender(
            settings: Sender.Settings(
                limits: LineBatcher.Limits(events: batchSize, bytes: batchBytes, linger: .milliseconds(linger)),
                parallel: parallel,
                keyPrefix: keyPrefix ?? "send-\(freshRunName())"
            ),
            courier: courier,
            stop: stop
        )
        let work = Task { await sender.run(inputs) }
        stop.catchSignals(again: { work.cancel() })
        let display = Task {
            await printer.run { elapsed in
                let counts = tally.snapshot
                return Progress(done: counts.acknowledged, total: nil, elapsed: elapsed, note: counts.trouble ?? "")
            }
        }
        await work.value
        display.cancel()
        await display.value
        await client.close()
        try conclude(tally.snapshot, printer)
    }

    private func open(stop: StopSignal) throws -> [InputReader] {
        let names = files.isEmpty ? ["-"] : files
        return try names.map { name in
            name == "-"
                ? InputReader(descriptor: STDIN_FILENO, name: "standard input", stop: stop)
                : try InputReader(path: name, stop: stop)
        }
    }

    private func conclude(_ counts: SendCounts, _ printer: ProgressPrinter) throws {
        if json {
            writeAll(Array((try jsonLine(counts) + "\n").utf8), to: STDOUT_FILENO)
        }
        printer.say(
            "\(grouped(counts.lines)) lines read, \(grouped(counts.sent)) events sent, "
                + "\(grouped(counts.acknowledged)) acknowledged (\(grouped(counts.repeated)) of them repeated), "
                + "\(grouped(counts.refused)) refused, \(grouped(counts.unacknowledged)) not acknowledged, "
                + "\(grouped(counts.resends)) resends"
        )
        if let stopped = counts.stopped {
            printer.say("ended early: \(stopped)")
        }
        if counts.unacknowledged > 0 || (counts.stopped != nil && !strict) { throw ExitCode(2) }
        if counts.refused > 0 { throw ExitCode(1) }
    }
}
