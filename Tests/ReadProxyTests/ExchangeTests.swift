// Method: what a server would send, walked over in one piece and in every two pieces; then whatever is not owed, which must be a fault.

import PostgresWire
import Testing

@testable import ReadProxy

@Suite
struct ExchangeTests {
    /// What a walk came upon.
    private struct Walk {
        var exchange = Exchange()
        var events: [String] = []
        var rest: [UInt8] = []

        mutating func take(_ bytes: [UInt8]) throws {
            rest += bytes
            var offset = 0
            while true {
                let event = try rest.withUnsafeBytes { try exchange.advance($0, &offset) }
                switch event {
                case .more:
                    rest.removeFirst(offset)
                    return
                case .insert(let expected): events.append("insert \(expected.kind)")
                case .drop(let expected): events.append("drop \(expected.kind)")
                case .parameter: events.append("parameter")
                case .notice: events.append("notice")
                case .error: events.append("error")
                case .own(let tag, _): events.append("own \(Character(UnicodeScalar(tag)))")
                case .ready(let kind): events.append("ready \(kind)")
                case .copyIn: events.append("copy in")
                }
            }
        }
    }

    private static func bytes(_ messages: BackendMessage...) -> [UInt8] { messages.flatMap(\.bytes) }

    private static let row = BackendMessage.dataRow([Array("one".utf8), nil])
    private static let select = bytes(
        .rowDescription([.init(name: "a"), .init(name: "b")]),
        row,
        row,
        .commandComplete(tag: "SELECT 2"),
        .readyForQuery(.idle)
    )

    @Test
    func aSimpleQueryInAnyTwoPieces() throws {
        for cut in 0...Self.select.count {
            var walk = Walk()
            walk.exchange.expect(.query)
            try walk.take(Array(Self.select[..<cut]))
            #expect(walk.exchange.isSettled == (cut == Self.select.count))
            try walk.take(Array(Self.select[cut...]))
            #expect(walk.events == ["ready query"])
            #expect(walk.exchange.isSettled && walk.rest.isEmpty)
        }
    }

    @Test
    func anOpenTransactionIsNotSettled() throws {
        for status in [BackendMessage.TransactionStatus.inBlock, .inFailedBlock] {
            var walk = Walk()
            walk.exchange.expect(.query)
            try walk.take(Self.bytes(.commandComplete(tag: "BEGIN"), .readyForQuery(status)))
            #expect(walk.exchange.isEmpty && !walk.exchange.isSettled)
        }
    }

    @Test
    func aRowThatIsCutIsNotSettled() throws {
        var walk = Walk()
        walk.exchange.expect(.query)
        try walk.take(Array(Self.row.bytes.dropLast()))
        #expect(walk.rest.isEmpty)
        #expect(!walk.exchange.isSettled)
    }

    @Test
    func anExtendedBatch() throws {
        var walk = Walk()
        for kind in [Exchange.Kind.ownClose, .ownParse, .bind, .describe, .execute, .sync] {
            walk.exchange.expect(kind)
        }
        try walk.take(
            Self.bytes(
                .closeComplete,
                .parseComplete,
                .bindComplete,
                .rowDescription([]),
                Self.row,
                .commandComplete(tag: "SELECT 1"),
                .readyForQuery(.idle)
            )
        )
        #expect(walk.events == ["drop ownClose", "drop ownParse", "ready sync"])
        #expect(walk.exchange.isSettled)
    }

    @Test
    func answersOfOursComeInTheirTurn() throws {
        var walk = Walk()
        for kind in [Exchange.Kind.bind, .knownParse, .closeStatement, .sync] { walk.exchange.expect(kind) }
        try walk.take([])
        #expect(walk.events == [])
        try walk.take(Self.bytes(.bindComplete))
        #expect(walk.events == ["insert knownParse", "insert closeStatement"])
        try walk.take(Self.bytes(.readyForQuery(.idle)))
        #expect(walk.exchange.isSettled)
    }

    @Test
    func anErrorSkipsToTheSync() throws {
        var walk = Walk()
        for kind in [Exchange.Kind.parse, .bind, .knownParse, .execute, .sync, .parse, .sync] {
            walk.exchange.expect(kind)
        }
        try walk.take(Self.bytes(.error(Report(.error, "42601", "no"))))
        #expect(walk.events == ["error"])
        #expect(walk.exchange.skipped.map(\.kind) == [.parse, .bind, .knownParse, .execute])
        try walk.take(Self.bytes(.readyForQuery(.idle), .parseComplete, .readyForQuery(.idle)))
        #expect(walk.events == ["error", "ready sync", "ready sync"])
        #expect(walk.exchange.isSettled)
    }

    /// The server would read nothing of the next client before a Sync, or keep the portals of this one for it.
    @Test
    func aBatchWithoutItsSyncIsNotSettled() throws {
        for answer in [BackendMessage.parseComplete, .error(Report(.error, "42601", "no"))] {
            var walk = Walk()
            walk.exchange.expect(.parse)
            try walk.take(answer.bytes)
            #expect(walk.exchange.isEmpty && !walk.exchange.isSettled)
            walk.exchange.expect(.sync)
            #expect(!walk.exchange.isSettled)
            try walk.take(Self.bytes(.readyForQuery(.idle)))
            #expect(walk.exchange.isSettled)
        }
    }

    @Test
    func afterAnErrorTheServerReadsNothingBeforeTheSync() throws {
        var walk = Walk()
        for kind in [Exchange.Kind.parse, .bind, .execute, .query] { walk.exchange.expect(kind) }
        try walk.take(Self.bytes(.parseComplete, .error(Report(.error, "42601", "no"))))
        #expect(walk.exchange.skipped.map(\.kind) == [.bind, .execute, .query])
        #expect(walk.exchange.skipsToSync && !walk.exchange.isSettled)
        walk.exchange.expect(.sync)
        #expect(!walk.exchange.skipsToSync)
        try walk.take(Self.bytes(.readyForQuery(.idle)))
        #expect(walk.exchange.isSettled)
    }

    /// A time limit that ends while the client says nothing: what it says next is skipped.
    @Test
    func anErrorBetweenMessagesSkipsToTheSync() throws {
        var walk = Walk()
        for kind in [Exchange.Kind.parse, .describe] { walk.exchange.expect(kind) }
        try walk.take(Self.bytes(.parseComplete, .noData))
        #expect(!walk.exchange.skipsToSync)
        try walk.take(Self.bytes(.error(Report(.error, "57014", "no"))))
        #expect(walk.events == ["error"])
        #expect(walk.exchange.skipsToSync && !walk.exchange.isSettled)
        walk.exchange.expect(.sync)
        try walk.take(Self.bytes(.readyForQuery(.idle)))
        #expect(walk.exchange.isSettled)
    }

    /// Behind a simple query comes a ReadyForQuery, whatever it came to.
    @Test
    func anErrorOfASimpleQuerySkipsNothing() throws {
        var walk = Walk()
        for kind in [Exchange.Kind.query, .query] { walk.exchange.expect(kind) }
        try walk.take(Self.bytes(.error(Report(.error, "42601", "no")), .readyForQuery(.idle)))
        #expect(!walk.exchange.skipsToSync && !walk.exchange.isSettled)
        try walk.take(Self.select)
        #expect(walk.exchange.isSettled)
    }

    @Test
    func aQueryOfOurOwnIsSeenWhole() throws {
        var walk = Walk()
        walk.exchange.expect(.ownQuery)
        for byte in Self.select { try walk.take([byte]) }
        #expect(walk.events == ["own T", "own D", "own D", "own C", "ready ownQuery"])
    }

    @Test
    func whatMayComeAtAnyTime() throws {
        var walk = Walk()
        try walk.take(
            Self.bytes(
                .parameterStatus(name: "in_hot_standby", value: "off"),
                .notice(Report(.warning, "01000", "so")),
                .notification(process: 1, channel: "c", payload: "")
            )
        )
        #expect(walk.events == ["parameter", "notice"])
        #expect(walk.exchange.isSettled)
    }

    /// Everything that a server may say, where nothing is owed and where something else is.
    @Test(arguments: [
        bytes(.dataRow([])), bytes(.rowDescription([])), bytes(.commandComplete(tag: "SELECT 0")),
        bytes(.readyForQuery(.idle)), bytes(.parseComplete), bytes(.bindComplete), bytes(.closeComplete),
        bytes(.noData),
        bytes(.emptyQueryResponse), bytes(.portalSuspended), bytes(.copyData([1])), bytes(.copyDone),
        bytes(.parameterDescription([])), bytes(.functionCallResponse(nil)), bytes(.authentication(.ok)),
        bytes(.backendKeyData(CancelKey(process: 1, secret: [1, 2, 3, 4]))), [0, 0, 0, 0, 4], [90, 0, 0, 0, 3],
        [90, 0, 0, 0, 5, 0], [68, 0xFF, 0xFF, 0xFF, 0xFF],
    ])
    func whatIsNotOwedIsAFault(message: [UInt8]) {
        var walk = Walk()
        #expect(throws: WireFault.self) { try walk.take(message) }
        if message.first != BackendTag.readyForQuery || message.count != 6 || message[5] == 0 {
            var other = Walk()
            other.exchange.expect(message.first == BackendTag.parseComplete ? .bind : .parse)
            other.exchange.expect(.sync)
            #expect(throws: WireFault.self) { try other.take(message) }
        }
    }

    @Test
    func copyInIsNoticed() throws {
        var walk = Walk()
        walk.exchange.expect(.query)
        try walk.take(Self.bytes(.copyInResponse(.init(isBinary: false, columns: []))))
        #expect(walk.events == ["copy in"])
    }

    /// A client that always has something open: the list is never empty, and yet it does not grow.
    @Test
    func whatIsAnsweredTakesNoMemory() throws {
        var walk = Walk()
        walk.exchange.expect(.query)
        var most = 0
        for _ in 0..<10_000 {
            walk.exchange.expect(.query)
            try walk.take(Self.bytes(.commandComplete(tag: "SELECT 0"), .readyForQuery(.idle)))
            most = max(most, walk.exchange.bytesKept)
        }
        #expect(!walk.exchange.isEmpty)
        #expect(most <= 200 * MemoryLayout<Exchange.Expected>.stride, "\(most) bytes")
    }
}
