import Synchronization

/// Carries batches to the server and stays with each until the server has acknowledged it.
package struct Courier: Sendable {
    package enum End: Hashable, Sendable {
        /// Every event was acknowledged or refused for good.
        case settled
        /// The run must not go on; the tally says why.
        case stopped
    }

    package var transport: any BatchTransport
    package var policy: BatchDelivery.Policy
    /// Treats the first refused event as the end of the run.
    package var strict: Bool
    package var tally: SendTally
    /// Where the lines come from, if there are several inputs.
    package var source: String?
    /// Is told about each refused event: its place, as `line 3` or `access.json, line 3`, and the reason.
    package var refused: @Sendable (_ place: String, _ reason: String) -> Void

    private let clock = ContinuousClock()
    private let start = ContinuousClock.now

    package init(
        transport: any BatchTransport,
        policy: BatchDelivery.Policy,
        strict: Bool = false,
        tally: SendTally,
        refused: @escaping @Sendable (_ place: String, _ reason: String) -> Void
    ) {
        self.transport = transport
        self.policy = policy
        self.strict = strict
        self.tally = tally
        self.refused = refused
    }

    /// Sends the batch under `key` as often as it takes. Cancelling the task abandons it: its events count as unacknowledged.
    package func deliver(_ batch: LineBatch, key: String) async -> End {
        tally.change { $0.sent += batch.count }
        return await carry(batch, key: key)
    }

    private func carry(_ batch: LineBatch, key: String) async -> End {
        var delivery = BatchDelivery(eventCount: batch.count, policy: policy, at: clock.now - start)
        while true {
            tally.change {
                $0.requests += 1
                $0.bytes += batch.body.count
            }
            let reply = await transport.post(batch.body, key: key)
            if Task.isCancelled, case .lost = reply {
                return abandon(batch, reason: "interrupted")
            }
            switch delivery.replied(reply, at: clock.now - start, spread: .random(in: 0..<1)) {
            case .acknowledged(let acknowledgement):
                return settle(batch, acknowledgement)
            case .resend(let pause, let reason):
                tally.change {
                    $0.resends += 1
                    $0.trouble = reason
                }
                do {
                    try await Task.sleep(for: pause)
                } catch {
                    return abandon(batch, reason: "interrupted")
                }
            case .divide(let reason):
                return await divide(batch, key: key, reason: reason)
            case .stop(let reason), .giveUp(let reason):
                return abandon(batch, reason: reason)
            }
        }
    }

    private func divide(_ batch: LineBatch, key: String, reason: String) async -> End {
        guard let (first, second) = batch.halves else {
            return refuse([(line: batch.lineNumbers[0], reason: reason)])
        }
        // Keys of their own: the server would take the old one with another body for a mistake.
        guard case .settled = await carry(first, key: key + "a") else {
            return abandon(second, reason: nil)
        }
        return await carry(second, key: key + "b")
    }

    private func settle(_ batch: LineBatch, _ acknowledgement: Acknowledgement) -> End {
        tally.change {
            $0.acknowledged += acknowledgement.accepted
            $0.repeated += acknowledgement.repeated == true ? acknowledgement.accepted : 0
            $0.trouble = nil
            $0.lastReceipt = acknowledgement.receipt ?? $0.lastReceipt
        }
        let reports = (acknowledgement.errors ?? [])
            .filter { batch.lineNumbers.indices.contains($0.index) }
            .map { (line: batch.lineNumbers[$0.index], reason: $0.text) }
        // The server lists only the first of many.
        let unlisted = batch.count - acknowledgement.accepted - reports.count
        if unlisted > 0, let first = batch.lineNumbers.first, let last = batch.lineNumbers.last {
            let place = "between lines \(first) and \(last)"
            report(last, "\(unlisted) further events \(place) were refused; send fewer in a batch to see them")
        }
        return refuse(reports, unlisted: max(0, unlisted))
    }

    private func refuse(_ events: [(line: Int, reason: String)], unlisted: Int = 0) -> End {
        guard events.count + unlisted > 0 else { return .settled }
        for event in events {
            report(event.line, event.reason)
        }
        tally.change { $0.refused += events.count + unlisted }
        guard strict else { return .settled }
        tally.change { $0.stopped = $0.stopped ?? "an event was refused" }
        return .stopped
    }

    /// Says that the event of a line is refused.
    package func report(_ line: Int, _ reason: String) {
        refused(source.map { "\($0), line \(line)" } ?? "line \(line)", reason)
    }

    private func abandon(_ batch: LineBatch, reason: String?) -> End {
        tally.change {
            $0.unacknowledged += batch.count
            $0.stopped = $0.stopped ?? reason
        }
        return .stopped
    }
}
