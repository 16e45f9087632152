import ArgumentParser
import Foundation
import LocalPostgres
import ProvingGround

/// One byte of a backlog rots: it costs the block that it stands in, which is reported exactly, and nothing else.
struct CorruptBlock: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "corrupt-block",
        abstract: "A byte in the middle of a backlog on disk is damaged."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many requests make the backlog.")
    var requests = 200

    @Option(help: "Events per request.")
    var events = 50

    func run() throws {
        var plan = Yard.Plan()
        plan.addReadings("id bigint PRIMARY KEY, note text")
        plan.queueExtra = "  lanes: 1"
        try options.run("corrupt-block", plan) { yard, pause in
            try yard.startProxy()
            try yard.waitForStreams()
            try yard.cluster.primary.stop(.fast)
            for request in 0..<requests {
                let lines = (0..<events).map { "{\"id\":\(request * events + $0),\"note\":\"note \($0)\"}\n" }.joined()
                guard let answer = yard.ingest.post("/v1/ingest/readings", body: lines), answer.status == 200 else {
                    throw YardFault("a request was not accepted")
                }
            }
            yard.proxy?.crash()
            try damage(yard, &pause)
            let lost = try damagedOffsets(yard)
            print("damaged: offsets \(lost.lowerBound) to \(lost.upperBound) of \(requests * events)")

            try yard.startProxy()
            try yard.waitForIngest()
            try yard.cluster.primary.start()
            try yard.waitForDrain(within: 60)
            try check(lost, yard)
            return nil
        }
    }

    /// Flips a bit in the rows of a block that stands neither at the beginning nor at the end.
    private func damage(_ yard: Yard, _ pause: inout Pause) throws {
        let list = try capture("find", ["\(yard.queueDirectory)/lanes", "-name", "*.segment"])
        guard let path = list.split(separator: "\n").map(String.init).sorted().first else {
            throw YardFault("there is no segment")
        }
        var bytes = try Data(contentsOf: URL(filePath: path))
        // A block begins at a multiple of 512 with "FBLK", its header has 96 bytes.
        let blocks = stride(from: 512, to: bytes.count - 512, by: 512).filter {
            bytes[$0..<$0 + 4] == Data("FBLK".utf8)
        }
        guard blocks.count > 20 else { throw YardFault("\(blocks.count) blocks in \(path)") }
        let block = blocks[blocks.count / 4 + Int(pause.next() % UInt64(blocks.count / 2))]
        bytes[block + 96 + 40] ^= 4
        let file = try FileHandle(forWritingTo: URL(filePath: path))
        try file.seek(toOffset: UInt64(block + 96 + 40))
        try file.write(contentsOf: [bytes[block + 96 + 40]])
        try file.close()
    }

    /// What `forebay queue verify` says is lost.
    private func damagedOffsets(_ yard: Yard) throws -> ClosedRange<Int> {
        // It ends with status 1, as it should on a damaged queue.
        let text = try capture(
            "sh",
            ["-c", "\"$0\" queue verify --path \"$1\" || true", "\(yard.programs)/forebay", yard.queueDirectory]
        )
        let findings = text.split(separator: "\n").filter { $0.contains("DAMAGED") }
        guard findings.count == 1, let finding = findings.first,
            let words = finding.split(separator: ",").last?.split(separator: ":").first?.split(separator: " "),
            words.count == 4, words[0] == "offsets", let first = Int(words[1]), let last = Int(words[3]), first <= last
        else { throw YardFault("one damaged block was expected; verify says:\n\(text)") }
        return first...last
    }

    private func check(_ lost: ClosedRange<Int>, _ yard: Yard) throws {
        let rows = Int(try yard.query("SELECT count(*) FROM readings")) ?? -1
        // Requests came one after the other into one lane: an event's offset is its id and one.
        let missing = try yard.query(
            "SELECT min(id) + 1, max(id) + 1, count(*) FROM generate_series(0, \(requests * events - 1)) AS id "
                + "WHERE id NOT IN (SELECT id FROM readings)"
        )
        let counted = Int(try yard.metric("forebay_lost_events"))
        let difference = try yard.metric("forebay_conservation_difference")
        let status = try capture("\(yard.programs)/forebay", ["status", "--config", yard.configuration])
        let log = try String(contentsOfFile: yard.proxyLog, encoding: .utf8)
        print("in PostgreSQL \(rows), missing (first|last|rows) \(missing), counted as lost \(counted)")
        guard rows == requests * events - lost.count, missing == "\(lost.lowerBound)|\(lost.upperBound)|\(lost.count)"
        else {
            throw YardFault("exactly the damaged block was to be missing")
        }
        guard counted == lost.count, difference == 0 else {
            throw YardFault("\(counted) events are counted as lost, and the books differ by \(difference)")
        }
        guard status.contains("\(lost.count) events are lost") else {
            throw YardFault("status says nothing:\n\(status)")
        }
        guard log.contains("can't be read"), log.contains("\(lost.lowerBound)") else {
            throw YardFault("the log says nothing; see \(yard.proxyLog)")
        }
        // The segment is no longer the last one once something is appended, and is trimmed then: set aside, not removed.
        let line = "{\"id\":\(requests * events),\"note\":\"later\"}\n"
        guard let answer = yard.ingest.post("/v1/ingest/readings", body: line), answer.status == 200 else {
            throw YardFault("a request was not accepted")
        }
        try yard.waitForDrain(within: 30)
        try waitUntil("the segment is in quarantine", within: 30) {
            try !capture("find", [yard.queueDirectory, "-path", "*quarantine/*"]).isEmpty
        }
    }
}
