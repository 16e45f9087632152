import NIOCore
import PostgresWire
import Records

/// Statements of Forebay's own, in both query protocols. A client without a backend gets its answers at once; for one that has a backend, each answer is put where
/// its turn is among those of the server.
extension ClientConnection {
    // MARK: Turns

    /// False as long as the backend still answers what came before; the message is taken up again then.
    func hasItsTurn() -> Bool {
        guard let backend, !backend.exchange.isEmpty else { return true }
        pause = .turn
        if !backend.exchange.endsInReady {
            // Without a Sync, the server may keep its answers to itself.
            var writer = WireWriter()
            FrontendMessage.flush.encode(into: &writer)
            backend.write(ByteBuffer(bytes: writer.bytes))
            backend.flush()
        }
        return false
    }

    /// False as long as an earlier batch is answered: whether this one has a backend is known only then.
    func batchHasItsTurn() -> Bool {
        guard let backend, backend.exchange.endsInReady else { return true }
        pause = .turn
        return false
    }

    // MARK: Simple

    /// The backend owes nothing, if there is one.
    func answerOwn(_ text: String) -> Bool {
        let statement: OwnStatement
        do {
            statement = try OwnStatement(parsing: text)
        } catch {
            write(.error(Self.report(error)), .readyForQuery(backend?.exchange.status ?? .idle))
            return true
        }
        switch statement {
        case .setting(.set(let positions)):
            if let report = waitFrom(now: positions) {
                write(.error(report))
            } else {
                write(.commandComplete(tag: "SET"))
            }
        case .setting(.show), .report:
            guard let table = table(of: statement) else { return false }
            write(OwnTable.description(table.columns))
            for index in table.rows.indices { write(table.row(index)) }
            write(.commandComplete(tag: "SHOW"))
        }
        write(.readyForQuery(backend?.exchange.status ?? .idle))
        return true
    }

    // MARK: Extended

    func parseOwn(_ message: ByteBuffer) throws -> Bool {
        guard case .parse(let parse) = try Self.decoded(message) else { preconditionFailure("not a Parse") }
        guard batchHasItsTurn() else { return false }
        let statement: OwnStatement
        do {
            statement = try OwnStatement(parsing: String(decoding: parse.query, as: UTF8.self))
        } catch {
            return refuse(Self.report(error), message)
        }
        if parse.name.isEmpty {
            clearUnnamed()
        } else {
            statements[parse.name] = nil
        }
        if own == nil { own = OwnBook() }
        own?.statements[parse.name] = statement
        return give([.parseComplete], message, statement: parse.name)
    }

    func bindOwn(_ message: ByteBuffer) throws -> Bool {
        guard case .bind(let bind) = try Self.decoded(message), let statement = own?.statements[bind.statement] else {
            preconditionFailure("not a Bind of a statement of our own")
        }
        guard batchHasItsTurn() else { return false }
        guard bind.values.isEmpty else {
            return refuse(
                Report(.error, "08P01", "\(bind.values.count) values for a statement without parameters"),
                message
            )
        }
        let columns = statement.columns?.count ?? 0
        guard bind.resultFormats.count <= 1 || bind.resultFormats.count == columns,
            bind.resultFormats.allSatisfy({ $0 == 0 || $0 == 1 })
        else { return refuse(Report(.error, "08P01", "formats that don't fit \(columns) columns"), message) }
        guard own?.portals.count ?? 0 < OwnBook.mostPortals || own?.portals[bind.portal] != nil else {
            return refuse(Report(.error, "54000", "more than \(OwnBook.mostPortals) portals"), message)
        }
        own?.portals[bind.portal] = OwnBook.Portal(statement: statement, formats: bind.resultFormats)
        return give([.bindComplete], message)
    }

    func describeOwn(_ message: ByteBuffer, _ target: FrontendMessage.Target, _ name: String) -> Bool {
        guard batchHasItsTurn() else { return false }
        switch target {
        case .statement:
            let columns = own?.statements[name]?.columns
            return give([.parameterDescription([]), Self.description(columns)], message)
        case .portal:
            let portal = own?.portals[name]
            return give([Self.description(portal?.statement.columns, formats: portal?.formats ?? [])], message)
        }
    }

    private static func description(_ columns: [OwnTable.Column]?, formats: [Int16] = []) -> BackendMessage {
        columns.map { OwnTable.description($0, formats: formats) } ?? .noData
    }

    func executeOwn(_ message: ByteBuffer) throws -> Bool {
        guard case .execute(let name, let limit) = try Self.decoded(message), var portal = own?.portals[name] else {
            preconditionFailure("not an Execute of a portal of our own")
        }
        guard batchHasItsTurn() else { return false }
        if case .setting(.set(let positions)) = portal.statement {
            if let report = waitFrom(now: positions) { return refuse(report, message) }
            return give([.commandComplete(tag: "SET")], message)
        }
        guard let table = portal.table ?? table(of: portal.statement) else { return false }
        let end = limit > 0 ? min(table.rows.count, portal.sent + Int(limit)) : table.rows.count
        var answer = (portal.sent..<end).map { table.row($0, formats: portal.formats) }
        answer.append(end < table.rows.count ? .portalSuspended : .commandComplete(tag: "SHOW"))
        portal.table = table
        portal.sent = end
        own?.portals[name] = portal
        return give(answer, message)
    }

    func closeOwn(_ message: ByteBuffer, _ target: FrontendMessage.Target, _ name: String) -> Bool {
        guard batchHasItsTurn() else { return false }
        switch target {
        case .statement: own?.statements[name] = nil
        case .portal: own?.portals[name] = nil
        }
        return give([.closeComplete], message)
    }

    /// Answers a message. Always true: it is dealt with.
    ///
    /// - Parameter statement: the name of the statement that comes into being by it.
    private func give(_ messages: [BackendMessage], _ message: ByteBuffer, statement: String? = nil) -> Bool {
        var writer = WireWriter()
        for message in messages { message.encode(into: &writer) }
        if let backend {
            remember(message)
            backend.exchange.expect(.given, name: statement, reply: writer.bytes)
            backend.answerOwn(to: self)
        } else {
            write(ByteBuffer(bytes: writer.bytes))
        }
        return true
    }

    /// Answers a message with an error, behind which everything up to the next Sync is skipped. Always true.
    func refuse(_ report: Report, _ message: ByteBuffer) -> Bool {
        guard let backend else {
            write(.error(report))
            skipsToSync = true
            return true
        }
        remember(message)
        var writer = WireWriter()
        FrontendMessage.parse(.init(query: Array("forebay refuses this".utf8))).encode(into: &writer)
        backend.exchange.expect(.refused, reply: BackendMessage.error(report).bytes)
        backend.write(ByteBuffer(bytes: writer.bytes))
        // The backend's unnamed statement is gone by it.
        unnamedIsThere = false
        return true
    }

    private static func decoded(_ message: ByteBuffer) throws(WireFault) -> FrontendMessage {
        let result = message.withUnsafeReadableBytes { bytes in
            Result { () throws(WireFault) in
                try FrontendMessage(
                    tag: bytes[0],
                    body: UnsafeRawBufferPointer(rebasing: bytes[MessageHeader.bytes...])
                )
            }
        }
        return try result.get()
    }

    // MARK: What they do

    /// From now on, reads show these positions; or why they can't.
    private func waitFrom(now positions: [Position]) -> Report? {
        guard backend == nil else {
            let why = isPinned || loop.configuration.pooling == .session
            return why
                ? Report(.error, "0A000", "a session that keeps its node can't wait for others")
                : Report(.error, "25001", "\(OwnSetting.name) can't be set inside of a transaction")
        }
        floor = positions
        loop.want(positions)
        return nil
    }

    /// Nil as long as other loops have to be asked; the message is taken up again then.
    private func table(of statement: OwnStatement) -> OwnTable? {
        switch statement {
        case .setting: return OwnTable(columns: statement.columns ?? [], rows: [[.text(floorText)]])
        case .report(.clients):
            if let rows = own?.gathered {
                own?.gathered = nil
                return OwnTable(columns: OwnReport.clients.columns, rows: rows)
            }
            pause = .gathering
            loop.gatherClients { [self] rows in
                guard case .gathering = pause else { return }
                if own == nil { own = OwnBook() }
                own?.gathered = rows
                pause = .none
                goOn()
            }
            return nil
        case .report(let report): return loop.table(of: report)
        }
    }

    var floorText: String { floor.map(\.description).joined(separator: ",") }

    // MARK: Reports

    static func positions(_ text: String) throws(Report) -> [Position] {
        do throws(OwnSetting.Fault) {
            return try OwnSetting.positions(text)
        } catch {
            throw report(error)
        }
    }

    private static func report(_ fault: OwnSetting.Fault) -> Report {
        switch fault {
        case .form:
            Report(
                .error,
                "0A000",
                "Forebay has only the setting \(OwnSetting.name), in a statement of its own",
                hint: """
                    SET \(OwnSetting.name) = '<receipt>[,<receipt>…]', RESET \(OwnSetting.name), SHOW \(OwnSetting.name); \
                    SHOW \(OwnReport.allCases.map { "\(OwnReport.prefix)\($0.rawValue)" }.joined(separator: ", "))
                    """
            )
        case .receipt(let text):
            Report(.error, "22023", "\"\(text)\" is not a receipt", hint: "Receipts come with the answers of ingest.")
        case .tooMany(let limit): Report(.error, "54000", "more than \(limit) receipts")
        }
    }
}

extension OwnBook {
    func has(_ target: FrontendMessage.Target, _ name: String) -> Bool {
        switch target {
        case .statement: statements[name] != nil
        case .portal: portals[name] != nil
        }
    }
}
