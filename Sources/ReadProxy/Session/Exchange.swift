import PostgresWire

/// What a backend still owes, in order, and the walk over what it sends. Touches no bytes but those it is shown.
///
/// A backend may be handed on only when ``isSettled`` holds: nothing is owed, no message is cut, no transaction is open, and no batch either:
/// between a message of the extended protocol and its Sync the server has portals of the client's, or waits for that Sync after an error. Whatever
/// comes that is not owed is a fault, and the connection is not used again.
///
/// Owner: one backend connection.
struct Exchange {
    enum Kind {
        /// Until ReadyForQuery.
        case query
        /// A query of our own: no byte of its answer is for the client.
        case ownQuery
        case parse
        /// A Parse that the client did not send now.
        case ownParse
        /// Answered by us, since the backend has the statement already.
        case knownParse
        case bind
        case describe
        case execute
        /// Answered by us: statements are shared, and only the client's name goes.
        case closeStatement
        /// Answered by us, with the reply that stands there: a step of a statement of Forebay's own.
        case given
        /// A Parse that the server refuses for sure; the reply that stands there goes out in place of what it says. So the error has its place in the
        /// batch, and the transaction is over as it would be after any other.
        case refused
        case closePortal
        /// Of a statement that made room for another; the client did not ask.
        case ownClose
        case sync
    }

    struct Expected {
        var kind: Kind
        var statement: PreparedStatement?
        /// By which the client knows the statement.
        var name: String?
        /// Messages of ours, encoded.
        var reply: [UInt8]?
    }

    enum Event {
        /// Everything up to the offset may be passed on; what is behind it is the beginning of a message.
        case more
        /// An answer that is ours to give stands here.
        case insert(Expected)
        /// The message is not for the client.
        case drop(Expected)
        case parameter(Range<Int>)
        case notice(Range<Int>)
        /// The messages up to the next Sync are skipped by the server.
        case error(Range<Int>)
        /// Of a query of our own.
        case own(tag: UInt8, Range<Int>)
        case ready(Kind)
        /// The server wants data, which the read port has none of.
        case copyIn(Range<Int>)
    }

    private var queue: [Expected] = []
    private var head = 0
    /// Bytes of the current message that have not come yet; it is passed on in pieces.
    private var streaming = 0
    private(set) var status = BackendMessage.TransactionStatus.idle
    /// Messages of the extended protocol have no Sync behind them yet.
    private var isInBatch = false
    /// After an error the server reads nothing before the next Sync, which has not been sent yet.
    private(set) var skipsToSync = false
    /// What was skipped because of the last error.
    private(set) var skipped: [Expected] = []

    /// What is not passed on in pieces may not be longer.
    private static let wholeBytes = 16 << 20

    /// What the list of what is owed takes up.
    var bytesKept: Int { queue.count * MemoryLayout<Expected>.stride }
    var count: Int { queue.count - head }
    var isEmpty: Bool { head == queue.count }
    /// A message was passed on of which the rest has not come.
    var isWithinMessage: Bool { streaming > 0 }
    var isSettled: Bool { isEmpty && streaming == 0 && status == .idle && !isInBatch && !skipsToSync }

    /// The server will say that it is ready, without anything more from the client.
    var endsInReady: Bool {
        guard let last = queue.last, head < queue.count else { return false }
        return last.kind == .query || last.kind == .sync
    }

    /// To be called for each message that is sent; none but Sync is, as long as ``skipsToSync`` holds.
    mutating func expect(
        _ kind: Kind,
        _ statement: PreparedStatement? = nil,
        name: String? = nil,
        reply: [UInt8]? = nil
    ) {
        switch kind {
        case .sync:
            isInBatch = false
            skipsToSync = false
        case .query, .ownQuery: isInBatch = false
        case .parse, .ownParse, .knownParse, .bind, .describe, .execute, .closeStatement, .given, .refused,
            .closePortal,
            .ownClose:
            isInBatch = true
        }
        queue.append(Expected(kind: kind, statement: statement, name: name, reply: reply))
    }

    private mutating func pop() -> Expected {
        let first = queue[head]
        head += 1
        if head == queue.count {
            queue.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 64, head > queue.count / 2 {
            queue.removeFirst(head)
            head = 0
        }
        return first
    }

    private var next: Kind? { head < queue.count ? queue[head].kind : nil }

    /// The next answer, if it is ours to give.
    mutating func takeOwn() -> Expected? {
        next == .knownParse || next == .closeStatement || next == .given ? pop() : nil
    }

    /// Walks until there is something to be done. `offset` is where the walk stands; if it throws, what is before that is in order.
    mutating func advance(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) throws(WireFault) -> Event {
        while true {
            if streaming > 0 {
                let count = min(streaming, bytes.count - offset)
                offset += count
                streaming -= count
                if streaming > 0 { return .more }
            }
            if let own = takeOwn() { return .insert(own) }
            guard let header = try MessageHeader.read(bytes, at: offset) else { return .more }
            let end = offset + header.messageBytes
            let body = offset + MessageHeader.bytes..<end
            if next != .ownQuery, header.tag == BackendTag.dataRow || header.tag == BackendTag.copyData {
                guard next == .query || next == .execute else { throw .unknownTag(header.tag) }
                if end > bytes.count {
                    streaming = end - bytes.count
                    offset = bytes.count
                    return .more
                }
                offset = end
                continue
            }
            guard header.messageBytes <= Self.wholeBytes else {
                throw .length(header.messageBytes, limit: Self.wholeBytes)
            }
            guard end <= bytes.count else { return .more }
            if let event = try step(header.tag, bytes, body) {
                offset = end
                return event
            }
            offset = end
        }
    }

    /// Nil if the message is passed on and nothing else is to be done.
    private mutating func step(
        _ tag: UInt8,
        _ bytes: UnsafeRawBufferPointer,
        _ body: Range<Int>
    ) throws(WireFault) -> Event? {
        switch tag {
        case BackendTag.parameterStatus: return .parameter(body)
        case BackendTag.notice: return .notice(body)
        case BackendTag.notification: return nil
        case BackendTag.readyForQuery: return try ready(bytes, body)
        case BackendTag.error:
            skipped.removeAll(keepingCapacity: true)
            if next == .ownQuery { return .own(tag: tag, body) }
            guard let kind = next else {
                // Within a batch, between messages: a limit of time has ended. Anywhere else the server has no reason to say that, and what it does next
                // is not known.
                skipsToSync = true
                return .error(body)
            }
            if kind != .query, kind != .sync {
                // Simple queries too.
                while let kind = next, kind != .sync { skipped.append(pop()) }
                skipsToSync = isEmpty
            }
            return .error(body)
        default: break
        }
        switch (next, tag) {
        case (.ownQuery, _): return .own(tag: tag, body)
        case (.query, BackendTag.rowDescription), (.query, BackendTag.commandComplete),
            (.query, BackendTag.emptyQueryResponse), (.query, BackendTag.copyOutResponse),
            (.query, BackendTag.copyDone), (.execute, BackendTag.copyOutResponse), (.execute, BackendTag.copyDone),
            (.describe, BackendTag.parameterDescription):
            return nil
        case (.ownParse, BackendTag.parseComplete), (.ownClose, BackendTag.closeComplete): return .drop(pop())
        case (.parse, BackendTag.parseComplete), (.bind, BackendTag.bindComplete),
            (.closePortal, BackendTag.closeComplete), (.describe, BackendTag.rowDescription),
            (.describe, BackendTag.noData), (.execute, BackendTag.commandComplete),
            (.execute, BackendTag.emptyQueryResponse), (.execute, BackendTag.portalSuspended):
            _ = pop()
            return nil
        case (.query, BackendTag.copyInResponse), (.execute, BackendTag.copyInResponse),
            (.query, BackendTag.copyBothResponse):
            return .copyIn(body)
        default: throw .unknownTag(tag)
        }
    }

    private mutating func ready(_ bytes: UnsafeRawBufferPointer, _ body: Range<Int>) throws(WireFault) -> Event {
        guard body.count == 1, let status = BackendMessage.TransactionStatus(rawValue: bytes[body.lowerBound]) else {
            throw .field(tag: BackendTag.readyForQuery, "no transaction status")
        }
        guard let kind = next, kind == .query || kind == .sync || kind == .ownQuery else {
            throw .unknownTag(BackendTag.readyForQuery)
        }
        self.status = status
        return .ready(pop().kind)
    }
}
