import CLibPQ
package import Delivery
import Glibc
package import Topology

/// One connection to one PostgreSQL server, over libpq in nonblocking mode.
///
/// Calls block the calling thread in `poll(2)`, on the socket and on the ``Interrupt``, until they are done or their deadline has
/// passed. Only the look-up of a host name, which goes before them, has no deadline (`getaddrinfo` takes none).
///
/// Owner: whoever made it. Not Sendable: libpq allows one thread at a time.
package final class PostgresConnection {
    /// The server that this is connected to; nil if libpq's environment named it.
    package let node: NodeAddress?
    /// The one of the node's addresses that it was made to; nil if libpq was left to look for it.
    package let address: String?
    let handle: OpaquePointer
    private let interrupt: Interrupt?
    private let received = Notices()
    /// COPY data that libpq may hold back: what it has been given since all was sent.
    var heldBack = 0

    /// What the server said beside its answers. Filled by libpq's callback, on the thread that calls libpq.
    private final class Notices {
        static let limit = 100
        var items: [ServerError] = []
    }

    /// Connects.
    ///
    /// - Parameters:
    ///   - node: nil to let libpq's environment (`PGHOST`, `PGPORT`) or its defaults name the server.
    ///   - address: one of the IP addresses of the node's name; nil leaves the look-up to libpq.
    package init(
        to node: NodeAddress?,
        at address: String? = nil,
        settings: ConnectionSettings,
        deadline: Deadline,
        interrupt: Interrupt? = nil
    ) throws(ConnectionFault) {
        self.node = node
        self.address = address
        self.interrupt = interrupt
        var words = try settings.keywords(for: node)
        if let address { words.append(("hostaddr", address)) }
        guard let handle = Self.start(words) else {
            throw .unreachable("out of memory")
        }
        self.handle = handle
        PQsetNoticeReceiver(
            handle,
            { context, result in
                guard let context, let result, let notice = ServerError(result: result) else { return }
                let received = Unmanaged<Notices>.fromOpaque(context).takeUnretainedValue()
                if received.items.count < Notices.limit {
                    received.items.append(notice)
                }
            },
            Unmanaged.passUnretained(received).toOpaque()
        )
        try finishConnecting(by: deadline)
    }

    deinit {
        PQfinish(handle)
    }

    /// The connection stands and no transaction is open, as far as this end knows.
    package var isReady: Bool {
        PQstatus(handle) == CONNECTION_OK && PQtransactionStatus(handle) == PQTRANS_IDLE
    }

    /// Rolls back a transaction that failed; true if the connection then is as good as new.
    func isIdle(afterRollbackBy deadline: Deadline) -> Bool {
        if PQstatus(handle) == CONNECTION_OK, PQtransactionStatus(handle) == PQTRANS_INERROR {
            _ = try? run("ROLLBACK", by: deadline)
        }
        return isReady
    }

    /// The server is in recovery: a replica. From version 14 on the server tells by itself, at the start and when it changes; an
    /// older one is asked.
    package func isInRecovery(by deadline: Deadline) throws(ConnectionFault) -> Bool {
        if let reported = PQparameterStatus(handle, "in_hot_standby") {
            return String(cString: reported) == "on"
        }
        return try query("SELECT pg_catalog.pg_is_in_recovery()", by: deadline).rows.first?.bool(0) ?? true
    }

    /// The server's version as a number: 150020 for 15.20.
    package var serverVersion: Int { Int(PQserverVersion(handle)) }

    /// The name of the user that this is connected as.
    package var user: String { PQuser(handle).map { String(cString: $0) } ?? "" }

    /// The name of the database.
    package var database: String { PQdb(handle).map { String(cString: $0) } ?? "" }

    /// The server's address as libpq took it, for messages.
    package var place: String {
        let host = PQhost(handle).map { String(cString: $0) } ?? ""
        let port = PQport(handle).map { String(cString: $0) } ?? ""
        return "\(host):\(port)"
    }

    /// The notices and warnings since the last call, at most 100 of them.
    package func takeNotices() -> [ServerError] {
        defer { received.items.removeAll() }
        return received.items
    }

    /// The stored form of a password, as the server would make it, so that the clear one never travels or is logged.
    package func scramVerifier(of password: String, for role: String) throws(ConnectionFault) -> String {
        guard let verifier = PQencryptPasswordConn(handle, password, role, "scram-sha-256") else {
            throw .broken(message)
        }
        defer { PQfreemem(verifier) }
        return String(cString: verifier)
    }

    // MARK: Statements

    /// Runs one statement with parameters and returns its result.
    ///
    /// - Throws: `.server` if the server refuses; the connection is then still ready unless the error ended it.
    @discardableResult
    package func query(
        _ sql: String,
        _ parameters: [String?] = [],
        by deadline: Deadline
    ) throws(ConnectionFault) -> QueryResult {
        try sendQuery(sql, parameters)
        guard let result = try finish(by: deadline).last else { throw .broken("the server gave no result") }
        return result
    }

    /// Runs any number of statements, separated by semicolons, as one simple query: without an explicit `BEGIN` they are one transaction.
    @discardableResult
    package func run(_ script: String, by deadline: Deadline) throws(ConnectionFault) -> [QueryResult] {
        try send(script)
        return try finish(by: deadline)
    }

    /// Hands the script to libpq, which sends what the socket takes at once.
    func send(_ script: String) throws(ConnectionFault) {
        guard PQsendQuery(handle, script) == 1 else { throw .broken(message) }
    }

    private func sendQuery(_ sql: String, _ parameters: [String?]) throws(ConnectionFault) {
        let copies = parameters.map { $0.flatMap { strdup($0) } }
        defer { for copy in copies { free(copy) } }
        let sent = copies.map { UnsafePointer($0) }.withUnsafeBufferPointer {
            PQsendQueryParams(handle, sql, Int32(parameters.count), nil, $0.baseAddress, nil, nil, 0)
        }
        guard sent == 1 else { throw .broken(message) }
    }

    /// Reads the results up to the end of the exchange.
    private func finish(by deadline: Deadline) throws(ConnectionFault) -> [QueryResult] {
        var results: [QueryResult] = []
        try flushOutput(by: deadline)
        while true {
            switch try nextResult(by: deadline) {
            case .done: return results
            case .rows(let result): results.append(result)
            case .refused(let error):
                drain(by: deadline)
                throw .server(error)
            case .copyIn: throw .broken("the server waits for COPY data that nobody has")
            }
        }
    }

    /// Reads what is left of an exchange after an error, so that the connection can be used again. What goes wrong meanwhile shows in
    /// ``isReady``; the error that came first is the one that counts.
    func drain(by deadline: Deadline) {
        while let step = try? nextResult(by: deadline) {
            switch step {
            case .rows, .refused: continue
            case .done, .copyIn: return
            }
        }
    }

    // MARK: Waiting

    enum Step {
        case rows(QueryResult)
        case copyIn
        case refused(ServerError)
        /// The exchange is over: the server is ready for the next one.
        case done
    }

    /// The next result of the exchange that is under way. All output must have been flushed.
    func nextResult(by deadline: Deadline) throws(ConnectionFault) -> Step {
        while PQisBusy(handle) == 1 {
            try wait(for: POLLIN, by: deadline, doing: "waiting for the server's answer")
            if PQconsumeInput(handle) == 0 {
                // What the server said before it closed the connection is still there to be read.
                if PQisBusy(handle) == 1 { throw .broken(message) }
                break
            }
        }
        guard let result = PQgetResult(handle) else { return .done }
        defer { PQclear(result) }
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: return .rows(QueryResult(result))
        case PGRES_COPY_IN: return .copyIn
        case PGRES_FATAL_ERROR:
            guard let error = ServerError(result: result) else { throw .broken(message) }
            return .refused(error)
        default:
            throw .broken("unexpected result \(String(cString: PQresStatus(PQresultStatus(result)))) from the server")
        }
    }

    /// Sends all that libpq holds back.
    func flushOutput(by deadline: Deadline) throws(ConnectionFault) {
        heldBack = 0
        while true {
            switch PQflush(handle) {
            case 0: return
            case 1:
                // A server that is itself blocked on sending would never read: take what it says.
                if try wait(for: POLLIN | POLLOUT, by: deadline, doing: "sending to the server") & POLLIN != 0,
                    PQconsumeInput(handle) == 0
                {
                    throw .broken(message)
                }
            default: throw .broken(message)
            }
        }
    }

    /// Waits until the socket is ready for one of `events` and returns those it is ready for.
    @discardableResult
    func wait(for events: Int32, by deadline: Deadline, doing: String) throws(ConnectionFault) -> Int32 {
        let socket = PQsocket(handle)
        guard socket >= 0 else { throw .broken(message) }
        var descriptors = [
            pollfd(fd: socket, events: Int16(events), revents: 0),
            pollfd(fd: interrupt?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let ready = poll(&descriptors, 2, deadline.millisecondsLeft)
            if ready == 0 { throw .deadline(doing) }
            if ready < 0 {
                if errno == EINTR { continue }
                throw .broken("poll: \(String(cString: strerror(errno)))")
            }
            if descriptors[1].revents != 0 { throw .interrupted }
            // An error or a hang-up is found out by reading.
            let found = Int32(descriptors[0].revents)
            return found & (POLLERR | POLLHUP) == 0 ? found : found | POLLIN
        }
    }

    /// libpq's last error text, in one line.
    var message: String {
        let text = PQerrorMessage(handle).map { String(cString: $0) } ?? ""
        let line = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return line.isEmpty ? "the connection is lost" : line
    }

    // MARK: Connecting

    private static func start(_ words: [(name: String, value: String)]) -> OpaquePointer? {
        let names = words.map { strdup($0.name) }
        let values = words.map { strdup($0.value) }
        defer { for text in names + values { free(text) } }
        let nameList = names.map { UnsafePointer($0) } + [nil]
        let valueList = values.map { UnsafePointer($0) } + [nil]
        return PQconnectStartParams(nameList, valueList, 0)
    }

    private func finishConnecting(by deadline: Deadline) throws(ConnectionFault) {
        guard PQstatus(handle) != CONNECTION_BAD else { throw .unreachable(message) }
        var events = POLLOUT
        while true {
            try wait(for: events, by: deadline, doing: "connecting")
            switch PQconnectPoll(handle) {
            case PGRES_POLLING_READING: events = POLLIN
            case PGRES_POLLING_WRITING: events = POLLOUT
            case PGRES_POLLING_OK:
                guard PQsetnonblocking(handle, 1) == 0 else { throw .unreachable(message) }
                return
            default: throw .unreachable(message)
            }
        }
    }
}
