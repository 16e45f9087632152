import Foundation
import ProvingGround
import Synchronization

/// An agent that sends one event after the other, each on a connection of its own, and keeps count: its events are numbered in `request_bytes`.
final class SteadyAgent: Sendable {
    private struct State {
        var isStopping = false
        var hasEnded = false
        var sent = 0
        var acknowledged: Set<Int> = []
        /// The longest time to an acknowledgement since it was last asked for.
        var longest = Duration.zero
        /// Anything but 200, or no answer.
        var refused: [String] = []
    }

    private let state = Mutex(State())
    private let ingest: LoopbackHTTP

    init(_ yard: Yard) {
        ingest = yard.ingest
        Thread.detachNewThread { self.run() }
    }

    var acknowledged: Set<Int> { state.withLock { $0.acknowledged } }
    var refused: [String] { state.withLock { $0.refused } }

    /// The longest time to an acknowledgement since the last call, one that is still missing not included.
    func takeLongest() -> Duration {
        state.withLock { state in
            defer { state.longest = .zero }
            return state.longest
        }
    }

    /// Ends it and waits for the end.
    func stop() throws {
        state.withLock { $0.isStopping = true }
        try waitUntil("the agent has ended", within: 30) { state.withLock { $0.hasEnded } }
    }

    /// How many of its events are in PostgreSQL, and how many different ones, as `7|7`.
    static func rows(in yard: Yard) throws -> String {
        try yard.query("SELECT count(*), count(DISTINCT request_bytes) FROM apirequests WHERE service = 'steady'")
    }

    private func run() {
        while let number = next() {
            let begun = ContinuousClock.now
            let body = #"{"time":"\#(Date().ISO8601Format())","service":"steady","request_bytes":\#(number)}"#
            let answer = ingest.post("/v1/ingest/apirequests", body: body, type: "application/json")
            let took = ContinuousClock.now - begun
            state.withLock { state in
                state.longest = max(state.longest, took)
                if answer?.status == 200 {
                    state.acknowledged.insert(number)
                } else {
                    state.refused.append(answer.map { "\($0.status) \($0.body)" } ?? "no answer")
                }
            }
            usleep(10_000)
        }
        state.withLock { $0.hasEnded = true }
    }

    private func next() -> Int? {
        state.withLock { state in
            if state.isStopping { return nil }
            state.sent += 1
            return state.sent
        }
    }
}
