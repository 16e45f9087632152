import ArgumentParser
import Records
import SegmentedLog

struct DLQListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List dead letters, oldest first.",
        discussion: """
            EXAMPLES
              forebay dlq ls
              forebay dlq ls --stream apirequests --limit 20
              forebay dlq ls --all --json | jq .sqlstate
            """
    )

    @OptionGroup var options: LetterOptions

    @Option(help: "Only this stream's.")
    var stream: String?

    @Option(help: "At most so many.")
    var limit = 1_000

    @Flag(help: "Also letters that were retried or discarded, as long as their rows are kept.")
    var all = false

    @Flag(help: "A JSON object per line.")
    var json = false

    /// One letter in JSON.
    struct Line: Encodable {
        var id: UInt64
        var state: String
        var kind: String
        var stream: String
        var position: String
        var events: Int
        var sqlstate: String
        var message: String
        var detail: String?
        var constraint: String?
        var column: String?
        var time: String

        init(_ record: LetterRecord) {
            id = record.id
            state = record.state
            kind = record.kind
            stream = record.letter.stream
            position = "\(record.letter.position)"
            events = record.letter.count
            sqlstate = record.letter.reason.sqlState
            message = record.letter.reason.message
            detail = record.letter.reason.detail
            constraint = record.letter.reason.constraint
            column = record.letter.reason.column
            time = letterTime(record.letter.time)
        }
    }

    func run() async throws {
        let reader = try options.reader(options.load())
        var shown = 0
        var beyond = 0
        do {
            try reader.visit { (record) throws(DeadLetterLogFault) in
                guard all || record.verdict == nil, stream == nil || record.letter.stream == stream else { return true }
                guard shown < limit else {
                    beyond += 1
                    return true
                }
                if shown == 0, !json { print("id\tstate\tkind\tstream\tevents\tsqlstate\ttime\tposition\tmessage") }
                shown += 1
                show(record)
                return true
            }
        } catch {
            printError("dlq ls: \(error)")
            throw ExitCode.failure
        }
        if shown == 0, !json { print("no dead letters") }
        if beyond > 0 { printError("\(beyond) more; --limit shows them") }
    }

    private func show(_ record: LetterRecord) {
        if json {
            print((try? jsonLine(Line(record))) ?? "{}")
            return
        }
        let letter = record.letter
        let message = letter.reason.message.split(whereSeparator: \.isNewline).joined(separator: " ")
        print(
            [
                "\(record.id)", record.state, record.kind, letter.stream, "\(letter.count)", letter.reason.sqlState,
                letterTime(letter.time), "\(letter.position)", message,
            ].joined(separator: "\t")
        )
    }
}
