import Foundation
import Glibc
import PostgresWire
import ProvingGround
import Records
import Synchronization

/// Writes an event over HTTP and reads it through the read port at once, again and again.
final class OwnWrites: Sendable {
    private struct State {
        var left: Int
        var figures = ReadFigures()
        /// Told while no node could show the write in time; the round is taken up again.
        var refusals: [String: Int] = [:]
    }

    private let state: Mutex<State>
    private let ended = DispatchSemaphore(value: 0)
    private let workers: Int
    private let yard: (ingest: LoopbackHTTP, readPort: Int, password: String)
    private let usesReceipts: Bool

    /// Begins; `rounds` is the number over all workers, each of which has a connection of its own.
    init(_ yard: Yard, rounds: Int = .max, workers: Int = 1, usesReceipts: Bool = true) throws {
        self.yard = (yard.ingest, yard.readPort, try yard.readerPassword)
        self.workers = workers
        self.usesReceipts = usesReceipts
        state = Mutex(State(left: rounds))
        for worker in 0..<workers {
            Thread.detachNewThread { [self] in
                work("\(usesReceipts ? "own" : "bare")-\(UInt32.random(in: 0 ... .max))-\(worker)")
                ended.signal()
            }
        }
    }

    /// Waits until every round is done.
    func wait() -> (figures: ReadFigures, refusals: [String: Int]) {
        for _ in 0..<workers { ended.wait() }
        for _ in 0..<workers { ended.signal() }
        return state.withLock { ($0.figures, $0.refusals) }
    }

    /// Ends after the rounds that are under way.
    func finish() -> (figures: ReadFigures, refusals: [String: Int]) {
        state.withLock { $0.left = 0 }
        return wait()
    }

    private func work(_ name: String) {
        var client: WireClient?
        var number = 0
        while state.withLock({ state in
            state.left -= 1
            return state.left >= 0
        }) {
            number += 1
            let endpoint = "/\(name)/\(number)"
            let event = """
                {"time": "2026-01-01T00:00:00Z", "service": "own", "endpoint": "\(endpoint)", "method": "GET", \
                "status_code": 200, "latency_ms": 1}
                """
            guard
                let answer = yard.ingest.post("/v1/ingest/apirequests", body: event, type: "application/json"),
                answer.status == 200,
                let receipt = answer.body.split(separator: "\"").first(where: { Position(receipt: $0) != nil })
            else {
                note("ingest did not accept an event")
                continue
            }
            read(endpoint, String(receipt), &client)
        }
    }

    /// Asks until it is answered: a node that is not there yet is no stale read.
    private func read(_ endpoint: String, _ receipt: String, _ client: inout WireClient?) {
        let deadline = ContinuousClock.now + .seconds(60)
        let begun = ContinuousClock.now
        while true {
            do {
                let open = try client ?? connect()
                client = open
                if usesReceipts { _ = try open.query("SET forebay.after = '\(receipt)'") }
                let rows = try open.query(
                    "SELECT count(*) FROM apirequests WHERE service = 'own' AND endpoint = '\(endpoint)'"
                )
                let took = Int((ContinuousClock.now - begun) / .milliseconds(1))
                return state.withLock { state in
                    state.figures.ownWrites += 1
                    if rows != [["1"]] { state.figures.stale += 1 }
                    state.figures.longestWaitMilliseconds = max(state.figures.longestWaitMilliseconds, took)
                }
            } catch let report as Report where ["58000", "57P03", "53300"].contains(report.code) {
                if report.isFatal { client = nil }
                state.withLock { $0.refusals[report.description, default: 0] += 1 }
                guard ContinuousClock.now < deadline else { return note("not answered within 60 s: \(report)") }
            } catch {
                client = nil
                return note("\(error)")
            }
        }
    }

    private func note(_ error: String) {
        state.withLock { $0.figures.errors["own write: \(error)", default: 0] += 1 }
    }

    private func connect() throws -> WireClient {
        let client = try WireClient(port: yard.readPort)
        try client.login(user: "apm_reader", password: yard.password)
        return client
    }
}
