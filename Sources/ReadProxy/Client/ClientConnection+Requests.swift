import NIOCore
import PostgresWire
import Records

/// What a client may send once it is let in.
extension ClientConnection {
    /// Deals with a message. False if it has to wait, or the connection is closed.
    func handle(_ tag: UInt8, _ message: ByteBuffer) -> Bool {
        if skipsToSync {
            switch tag {
            case FrontendTag.sync:
                skipsToSync = false
                write(.readyForQuery(.idle))
                return true
            case FrontendTag.query, FrontendTag.parse, FrontendTag.bind, FrontendTag.describe, FrontendTag.execute,
                FrontendTag.close, FrontendTag.flush, FrontendTag.copyData, FrontendTag.copyDone, FrontendTag.copyFail:
                return true
            default: break
            }
        }
        if let backend, tag != FrontendTag.terminate {
            // The server would not read it either.
            if backend.exchange.skipsToSync, tag != FrontendTag.sync { return true }
            // Not every message goes to the server, so that it would hold the client up.
            if backend.exchange.count >= Self.mostOwed { return hasItsTurn() }
        }
        do {
            // A server that finds something in them reads nothing more up to a Sync, in the midst of whatever comes next.
            if tag == FrontendTag.flush || tag == FrontendTag.sync, message.readableBytes != MessageHeader.bytes {
                throw WireFault.trailing(tag: tag, bytes: message.readableBytes - MessageHeader.bytes)
            }
            switch tag {
            case FrontendTag.query: return try query(message)
            case FrontendTag.parse: return try parse(message)
            case FrontendTag.bind: return try bind(message)
            case FrontendTag.describe: return try describe(message)
            case FrontendTag.execute: return try execute(message)
            case FrontendTag.close: return try close(message)
            case FrontendTag.sync: return sync(message)
            case FrontendTag.flush:
                guard let backend else { return true }
                // What is run again without it would be answered with the next Sync, if one ever comes.
                remember(message)
                backend.write(message)
                return true
            // The rest of a COPY that the server has refused; it drops these too.
            case FrontendTag.copyData, FrontendTag.copyDone, FrontendTag.copyFail: return true
            case FrontendTag.terminate:
                close()
                return false
            case FrontendTag.functionCall:
                end(Report(.fatal, "0A000", "function calls of the protocol are not served by the read port"))
                return false
            default: throw WireFault.unknownTag(tag)
            }
        } catch {
            end(Report(.fatal, "08P01", "\(error)"))
            return false
        }
    }

    /// Messages without an answer; more wait until these have theirs.
    private static let mostOwed = 2048

    // MARK: Simple

    private func query(_ message: ByteBuffer) throws -> Bool {
        let traits = message.withUnsafeReadableBytes { bytes in
            StatementTraits(of: UnsafeRawBufferPointer(rebasing: bytes[MessageHeader.bytes...]))
        }
        if traits.contains(.own) || Self.wouldWrite(traits, Self.text(of: message)) {
            guard hasItsTurn() else { return false }
            if traits.contains(.own) { return answerOwn(Self.text(of: message)) }
            write(.error(Self.refusal), .readyForQuery(backend?.exchange.status ?? .idle))
            return true
        }
        if traits.contains(.deallocates), deallocate(message) { return true }
        guard hasBackend(), let backend else { return false }
        if !traits.isEmpty { note(traits) }
        remember(message)
        // A simple query does away with the unnamed statement.
        clearUnnamed()
        own?.statements[""] = nil
        backend.exchange.expect(.query)
        backend.write(message)
        return true
    }

    /// Of a Query message.
    private static func text(of message: ByteBuffer) -> String {
        String(decoding: message.readableBytesView.dropFirst(MessageHeader.bytes).dropLast(), as: UTF8.self)
    }

    private static func wouldWrite(_ traits: StatementTraits, _ text: @autoclosure () -> String) -> Bool {
        traits.contains(.writes) && !ReadOnlyWish.isOne(text())
    }

    private static let refusal = Report(
        .error,
        "25006",
        "the read port serves read-only transactions",
        hint: "Write through Forebay's ingest, or connect to the primary itself."
    )

    /// Gives up statements of the protocol, or the session's state; false if that is the server's to do.
    private func deallocate(_ message: ByteBuffer) -> Bool {
        guard let order = Deallocation(parsing: Self.text(of: message)), backend?.exchange.isEmpty ?? true,
            backend?.exchange.status != .inFailedBlock
        else { return false }
        switch order {
        case .statement(let name):
            guard statements[name] != nil || own?.statements[name] != nil else { return false }
            statements[name] = nil
            own?.statements[name] = nil
        case .statements:
            // A session that keeps its backend may have others there, of SQL's making.
            guard !isPinned else { return false }
            statements = [:]
            own = nil
        case .session:
            guard !isPinned, backend == nil else { return false }
            statements = [:]
            own = nil
            clearUnnamed()
            settings = startup
            floor = []
        }
        write(.commandComplete(tag: order.tag), .readyForQuery(backend?.exchange.status ?? .idle))
        return true
    }

    private func note(_ traits: StatementTraits) {
        if traits.contains(.pins) || traits.contains(.deallocates) { pin() }
        if traits.contains(.settings) { touchesSettings = true }
        if traits.contains(.reading) { touchesReading = true }
    }

    /// Of the settings; nil if what is prepared now is to be nobody else's: settings are not known, or the session has its backend for itself, and may do
    /// to its statements what it likes.
    private var reading: String? {
        isPinned || touchesReading || loop.configuration.pooling == .session ? nil : settings.reading
    }

    // MARK: Extended

    private func pass(_ message: ByteBuffer, expecting kind: Exchange.Kind) -> Bool {
        guard hasBackend(), let backend else { return false }
        remember(message)
        backend.exchange.expect(kind)
        backend.write(message)
        return true
    }

    private func sync(_ message: ByteBuffer) -> Bool {
        if backend == nil {
            // Nothing was asked, or nothing but statements of our own.
            own?.portals = [:]
            write(.readyForQuery(.idle))
            return true
        }
        return pass(message, expecting: .sync)
    }

    private func parse(_ message: ByteBuffer) throws -> Bool {
        let (name, tail) = try Self.texts(1, of: message, tag: FrontendTag.parse)
        let traits = {
            let end = tail.firstIndex(of: 0) ?? tail.endIndex
            return message.withUnsafeReadableBytes { bytes in
                let start = tail.startIndex - message.readerIndex
                return StatementTraits(
                    of: UnsafeRawBufferPointer(rebasing: bytes[start..<start + (end - tail.startIndex)])
                )
            }
        }
        guard !name[0].isEmpty else {
            let seen = traits()
            if seen.contains(.own) { return try parseOwn(message) }
            if Self.wouldWrite(seen, Self.text(of: tail)) {
                guard refusesToWrite(message) else { return false }
                clearUnnamed()
                return true
            }
            guard hasBackend(), let backend else { return false }
            remember(message)
            if seen.contains(.deallocates), parseDeallocation(tail, backend) { return true }
            setUnnamed(tail, seen)
            own?.statements[""] = nil
            backend.exchange.expect(.parse)
            backend.write(message)
            return true
        }
        let statement = loop.shelf.statement(tail: tail, reading: reading, traits: traits())
        if statement.traits.contains(.own) { return try parseOwn(message) }
        if Self.wouldWrite(statement.traits, Self.text(of: tail)) { return refusesToWrite(message) }
        guard hasBackend(), let backend else { return false }
        remember(message)
        statements[name[0]] = statement
        own?.statements[name[0]] = nil
        if backend.knows(statement) {
            backend.exchange.expect(.knownParse, statement, name: name[0])
            backend.answerOwn(to: self)
        } else {
            backend.makeRoom()
            backend.exchange.expect(.parse, statement, name: name[0])
            backend.prepare(statement)
        }
        return true
    }

    /// Of a Parse message's body behind the name.
    private static func text(of tail: ByteBufferView) -> String {
        String(decoding: tail.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// False as long as it is not the message's turn.
    private func refusesToWrite(_ message: ByteBuffer) -> Bool {
        guard batchHasItsTurn() else { return false }
        return refuse(Self.refusal, message)
    }

    /// Drivers give up statements in the extended protocol too (psycopg 3 up to 3.1.9 does). The order has its place among other messages, which only
    /// the server keeps: it is told to give up a statement that is there for nothing else. False if the order is not about what is kept here.
    private func parseDeallocation(_ tail: ByteBufferView, _ backend: BackendConnection) -> Bool {
        switch Deallocation(parsing: Self.text(of: tail)) {
        case .statement(let name):
            guard statements[name] != nil || own?.statements[name] != nil else { return false }
            statements[name] = nil
            own?.statements[name] = nil
        case .statements:
            guard !isPinned else { return false }
            statements = [:]
            own?.statements = [:]
        case .session, nil: return false
        }
        own?.statements[""] = nil
        var writer = WireWriter()
        let text = "DEALLOCATE \"\(backend.prepareForNothing())\""
        FrontendMessage.parse(.init(query: Array(text.utf8))).encode(into: &writer)
        clearUnnamed()
        unnamedIsThere = true
        backend.exchange.expect(.parse)
        backend.write(ByteBuffer(bytes: writer.bytes))
        return true
    }

    private func bind(_ message: ByteBuffer) throws -> Bool {
        let (names, tail) = try Self.texts(2, of: message, tag: FrontendTag.bind)
        if own != nil {
            if own?.statements[names[1]] != nil { return try bindOwn(message) }
            own?.portals[names[0]] = nil
        }
        guard hasBackend(), let backend else { return false }
        remember(message)
        let statement = statement(named: names[1], on: backend)
        if let statement {
            note(statement.traits)
        } else if names[1].isEmpty {
            note(unnamedTraits)
        }
        backend.exchange.expect(.bind, statement)
        if names[1].isEmpty, unnamedIsThere {
            backend.write(message)
            return true
        }
        let serverName = statement?.serverName ?? Self.strange(names[1])
        let portal = names[0].utf8
        var buffer = ByteBuffer()
        buffer.reserveCapacity(MessageHeader.bytes + portal.count + serverName.count + 2 + tail.count)
        buffer.writeInteger(FrontendTag.bind)
        buffer.writeInteger(Int32(4 + portal.count + serverName.count + 2 + tail.count))
        buffer.writeBytes(portal)
        buffer.writeInteger(0 as UInt8)
        buffer.writeBytes(serverName)
        buffer.writeInteger(0 as UInt8)
        buffer.writeBytes(tail)
        backend.write(buffer)
        return true
    }

    private func execute(_ message: ByteBuffer) throws -> Bool {
        if own?.portals.isEmpty == false {
            let (names, _) = try Self.texts(1, of: message, tag: FrontendTag.execute)
            if own?.portals[names[0]] != nil { return try executeOwn(message) }
        }
        return pass(message, expecting: .execute)
    }

    private func describe(_ message: ByteBuffer) throws -> Bool {
        let (target, name) = try Self.target(of: message, tag: FrontendTag.describe)
        if let own, own.has(target, name) { return describeOwn(message, target, name) }
        guard target == .statement else { return pass(message, expecting: .describe) }
        guard hasBackend(), let backend else { return false }
        remember(message)
        let statement = statement(named: name, on: backend)
        backend.exchange.expect(.describe, statement)
        if name.isEmpty, unnamedIsThere {
            backend.write(message)
        } else {
            var writer = WireWriter()
            writer.message(FrontendTag.describe) { writer in
                writer.byte(FrontendMessage.Target.statement.rawValue)
                writer.append(statement?.serverName ?? Self.strange(name))
                writer.byte(0)
            }
            backend.write(ByteBuffer(bytes: writer.bytes))
        }
        return true
    }

    private func close(_ message: ByteBuffer) throws -> Bool {
        let (target, name) = try Self.target(of: message, tag: FrontendTag.close)
        if let own, own.has(target, name) { return closeOwn(message, target, name) }
        guard target == .statement else { return pass(message, expecting: .closePortal) }
        guard hasBackend(), let backend else { return false }
        remember(message)
        // From here on, as for the server: the next Parse of the name may be behind it already.
        backend.exchange.expect(.closeStatement, statements.removeValue(forKey: name), name: name)
        if name.isEmpty { clearUnnamed() }
        backend.answerOwn(to: self)
        return true
    }

    /// The statement that a client means by a name, prepared on the backend; nil if there is none, or it is the unnamed one.
    private func statement(named name: String, on backend: BackendConnection) -> PreparedStatement? {
        if name.isEmpty {
            if !unnamedIsThere, unnamed.readableBytes > 0 { sendUnnamed(to: backend) }
            return nil
        }
        guard var statement = statements[name] else { return nil }
        if backend.knows(statement) { return statement }
        if statement.reading != reading {
            // It becomes another one here, which those who share it don't want.
            statement = loop.shelf.statement(tail: statement.tail, reading: reading, traits: statement.traits)
            statements[name] = statement
            if backend.knows(statement) { return statement }
        }
        backend.makeRoom()
        backend.exchange.expect(.ownParse, statement)
        backend.prepare(statement)
        return statement
    }

    /// The name of a statement that the client has not prepared over the protocol. It may have by SQL, on a backend that it keeps; but what others have
    /// prepared on a backend is not the client's, so names of ours and the unnamed one become a name that nobody has.
    private static func strange(_ name: String) -> [UInt8] {
        name.isEmpty || name.hasPrefix(PreparedStatement.prefix) ? Array("(unknown)".utf8) : Array(name.utf8)
    }

    private func setUnnamed(_ tail: ByteBufferView, _ traits: StatementTraits) {
        keepUnnamed()
        unnamed.clear()
        unnamed.writeBytes(tail)
        unnamedTraits = traits
        unnamedIsThere = true
    }

    func clearUnnamed() {
        unnamedIsThere = false
        guard unnamed.readableBytes > 0 else { return }
        keepUnnamed()
        unnamed.clear()
        unnamedTraits = []
    }

    private func sendUnnamed(to backend: BackendConnection) {
        var buffer = ByteBuffer()
        buffer.writeInteger(FrontendTag.parse)
        buffer.writeInteger(Int32(4 + 1 + unnamed.readableBytes))
        buffer.writeInteger(0 as UInt8)
        buffer.writeImmutableBuffer(unnamed)
        backend.exchange.expect(.ownParse)
        backend.write(buffer)
        unnamedIsThere = true
    }

    // MARK: What came of it

    /// The server has skipped something because of an error before it, or refused it.
    func didNotHappen(_ expected: Exchange.Expected) {
        switch expected.kind {
        case .parse, .knownParse:
            if let name = expected.name, statements[name] === expected.statement { statements[name] = nil }
            if expected.name == nil { clearUnnamed() }
        case .ownParse: if expected.statement == nil { unnamedIsThere = false }
        case .given: if let name = expected.name { own?.statements[name] = nil }
        case .closeStatement:
            if let name = expected.name, statements[name] == nil { statements[name] = expected.statement }
        case .query, .ownQuery, .bind, .describe, .execute, .refused, .closePortal, .ownClose, .sync: break
        }
    }

    // MARK: Fields

    /// The texts at the beginning of a message's body, and what follows them.
    private static func texts(
        _ count: Int,
        of message: ByteBuffer,
        tag: UInt8
    ) throws -> (texts: [String], tail: ByteBufferView) {
        let (texts, offset) = try message.withUnsafeReadableBytes { bytes in
            var reader = WireReader(UnsafeRawBufferPointer(rebasing: bytes[MessageHeader.bytes...]), tag: tag)
            var texts: [String] = []
            for _ in 0..<count { texts.append(try reader.text()) }
            return (texts, reader.offset)
        }
        let view = message.readableBytesView
        return (texts, view[view.index(view.startIndex, offsetBy: MessageHeader.bytes + offset)...])
    }

    private static func target(
        of message: ByteBuffer,
        tag: UInt8
    ) throws -> (target: FrontendMessage.Target, name: String) {
        let decoded = try message.withUnsafeReadableBytes { bytes in
            try FrontendMessage(tag: tag, body: UnsafeRawBufferPointer(rebasing: bytes[MessageHeader.bytes...]))
        }
        switch decoded {
        case .describe(let target, let name), .close(let target, let name): return (target, name)
        default: throw WireFault.unknownTag(tag)
        }
    }
}
