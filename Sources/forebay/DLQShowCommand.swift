import ArgumentParser
import DurableQueue
import ForebayRuntime
import Records
import SegmentedLog

struct DLQShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a dead letter: its rows as JSON, where they stood, why they were refused.",
        discussion: """
            EXAMPLES
              forebay dlq show 17
              forebay dlq show 17 --rows | forebay send --stream apirequests       mended by hand in between
            """
    )

    @OptionGroup var options: LetterOptions

    @Argument(help: "The letter's id, as ls shows it.")
    var id: UInt64

    @Flag(help: "The rows only, one JSON object per line.")
    var rows = false

    func run() async throws {
        let configuration = try options.load()
        let reader = try options.reader(configuration)
        do {
            guard let record = try reader.letter(id) else {
                printError("dlq show: there is no letter \(id), or its rows are no longer kept")
                throw ExitCode.failure
            }
            if !rows { head(record) }
            try body(record, rows: try reader.rows(of: record), queue: configuration.queue.path)
        } catch let fault as DeadLetterLogFault {
            printError("dlq show: \(fault)")
            throw ExitCode.failure
        }
    }

    private func head(_ record: LetterRecord) {
        let letter = record.letter
        let reason = letter.reason
        var lines = [
            ("letter", "\(record.id), \(record.kind), \(record.state)"),
            ("stream", letter.stream),
            (
                "position",
                letter.count == 1
                    ? "\(letter.position)" : "\(letter.position) to \(letter.last), \(letter.count) events"
            ),
            ("time", letterTime(letter.time)),
            ("sqlstate", reason.sqlState),
            ("message", reason.message),
        ]
        if let detail = reason.detail { lines.append(("detail", detail)) }
        if let constraint = reason.constraint { lines.append(("constraint", constraint)) }
        if let column = reason.column { lines.append(("column", column)) }
        for (name, value) in lines where !value.isEmpty {
            print(name + String(repeating: " ", count: 12 - name.count) + value)
        }
    }

    private func body(_ record: LetterRecord, rows: [UInt8], queue: String) throws {
        guard !rows.isEmpty else { return }
        var faults: [String] = []
        let layouts = try LayoutCatalogue.open(QueueDirectory(queue).layouts, on: POSIXFileSystem(), faults: &faults)
        guard let layout = layouts.layout(of: record.letter.fingerprint) else {
            printError(
                "dlq show: the layout \(record.letter.fingerprint) of these rows is not in the queue's catalogue"
            )
            throw ExitCode.failure
        }
        try rows.withUnsafeBytes { bytes in
            var reader = TupleReader(bytes)
            while let range = try reader.next() {
                print(try TupleText.line(UnsafeRawBufferPointer(rebasing: bytes[range]), layout: layout))
            }
        }
    }
}
