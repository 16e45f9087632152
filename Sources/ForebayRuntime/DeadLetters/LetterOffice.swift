import Dispatch
import DurableQueue
package import Logging
import OpsServer
import Records
package import SegmentedLog

/// Retries and discards dead letters: for the ops port of a running proxy, and for the verb where none runs.
package final class LetterOffice: Sendable {
    private let desk: DeadLetterDesk
    private let intake: LetterIntake

    init(_ log: DeadLetterLog, _ queue: DurableQueue) {
        desk = DeadLetterDesk(log)
        intake = LetterIntake(queue)
    }

    /// Opens the queue of a configuration, acts, and closes it again. Fails with ``QueueFault/locked(path:holder:)`` while a proxy runs.
    package static func withoutProxy<Value>(
        _ configuration: ForebayConfiguration,
        environment: [String: String],
        log: Logger,
        _ body: (LetterOffice) throws -> Value
    ) throws -> Value {
        let queue = try DurableQueue.open(configuration.queueConfiguration(environment: environment), log: log)
        defer { queue.close() }
        return try body(LetterOffice(DeadLetterCabinet.open(queue, log: log).log, queue))
    }

    /// Blocks until the rows are on disk in the queue.
    package func retry(_ choice: LetterChoice) throws(DeadLetterLogFault) -> DeadLetterDesk.Report {
        try desk.retry(choice, into: intake, time: Self.now)
    }

    /// Blocks until the verdicts are on disk.
    package func discard(_ choice: LetterChoice) throws(DeadLetterLogFault) -> DeadLetterDesk.Report {
        try desk.discard(choice, besides: intake, time: Self.now)
    }

    /// Marks the letters whose retry was cut short, if there can be any. To be called now and then.
    func finishRetries() throws(DeadLetterLogFault) -> Int {
        try desk.finishRetries(in: intake, time: Self.now)
    }

    func retry(_ choice: DeadLetterChoice) async throws(OpsFault) -> DeadLetterReport {
        let letters = try LetterChoice(choice)
        return try await Self.offLoop { () throws(DeadLetterLogFault) in try self.retry(letters) }
    }

    func discard(_ choice: DeadLetterChoice) async throws(OpsFault) -> DeadLetterReport {
        let letters = try LetterChoice(choice)
        return try await Self.offLoop { () throws(DeadLetterLogFault) in try self.discard(letters) }
    }

    /// Acts on a thread that may block.
    private static func offLoop(
        _ act: @escaping @Sendable () throws(DeadLetterLogFault) -> DeadLetterDesk.Report
    ) async throws(OpsFault) -> DeadLetterReport {
        let result: Result<DeadLetterDesk.Report, DeadLetterLogFault> = await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(returning: Result { () throws(DeadLetterLogFault) in try act() })
            }
        }
        switch result {
        case .failure(let fault):
            throw OpsFault(.unavailable, "\(fault)")
        case .success(let report):
            if let first = report.left.first {
                throw OpsFault(
                    .unavailable,
                    "\(report.letters) letters done, \(report.leftCount) stay pending; letter \(first.id) at \(first.position): \(first.reason)"
                )
            }
            return DeadLetterReport(letters: report.letters)
        }
    }

    /// Microseconds since 1970.
    private static var now: Int64 {
        Int64(WallTime.now.rawValue)
    }
}

extension LetterChoice {
    init(_ choice: DeadLetterChoice) throws(OpsFault) {
        if let texts = choice.positions {
            var positions: Set<Position> = []
            for text in texts {
                guard let position = Position(receipt: text) else {
                    throw OpsFault(.request, "\"\(text)\" is no position; expected <queue>.<lane>.<offset>")
                }
                positions.insert(position)
            }
            self = .positions(positions)
        } else if let stream = choice.stream {
            self = .stream(stream)
        } else if choice.all == true {
            self = .all
        } else {
            throw OpsFault(.request, "no letters are named")
        }
    }
}
