import Records
import SegmentedLog

/// The operator: retries and discards dead letters, and clears their files.
extension World {
    func actAsOperator() {
        guard let proxy else { return }
        if cluster != nil, random.chance(300) { return resumeLanes() }
        switch random.below(6) {
        case 0...1 where plan.retriesLetters: retryLetters(proxy, all: false)
        case 2: discardLetters(proxy)
        case 3: proxy.tryParkedStreams()
        default: tendLetters(proxy)
        }
    }

    /// The upkeep of the dead letters.
    func tendLetters(_ proxy: SimulatedProxy) {
        proxy.finishRetries(in: LetterIntake(self, proxy))
        proxy.compactLetters()
    }

    func retryLetters(_ proxy: SimulatedProxy, all: Bool) {
        guard let pending = LetterBook.pending(proxy.letters, disk) else { return }
        let chosen = pending.map(\.id).filter { letterBook.doomed[$0] == nil && (all || random.chance(600)) }
        guard !chosen.isEmpty else { return }
        letterBook.tried.formUnion(chosen)
        history.note(.operator, "retries the letters \(chosen)")
        do throws(DeadLetterLogFault) {
            let report = try DeadLetterDesk(proxy.letters).retry(
                .ids(Set(chosen)),
                into: LetterIntake(self, proxy),
                time: clock.wallTime
            )
            tally.add(.lettersRetried, report.letters)
            history.note(.operator, "\(report.letters) letters are retried, \(report.leftCount) stay")
        } catch {
            history.note(.operator, "the retry failed: \(error)")
        }
    }

    private func discardLetters(_ proxy: SimulatedProxy) {
        let pending = LetterBook.pending(proxy.letters, disk) ?? []
        let open = pending.filter { !letterBook.tried.contains($0.id) && letterBook.doomed[$0.id] == nil }
        guard !open.isEmpty else { return }
        let chosen = random.pick(open)
        letterBook.doom(chosen.id, chosen.events)
        history.note(.operator, "discards letter \(chosen.id)")
        do throws(DeadLetterLogFault) {
            let report = try DeadLetterDesk(proxy.letters).discard(
                .ids([chosen.id]),
                besides: LetterIntake(self, proxy),
                time: clock.wallTime
            )
            guard report.letters == 1 else { return }
            tally.add(.lettersDiscarded)
            letterBook.confirm(chosen.id)
        } catch {
            history.note(.operator, "the discard failed: \(error)")
        }
    }
}

/// Puts the rows of retried letters into the queue and waits until they are on disk, as the runtime's intake does.
private final class LetterIntake: LetterQueue, @unchecked Sendable {
    // Sendable because a world uses it on one thread.
    private unowned let world: World
    private let proxy: SimulatedProxy

    private final class Answer: AppendSink, @unchecked Sendable {
        // Sendable because a world uses it on one thread.
        var outcome: AppendOutcome?

        func appendsDidFinish(_ results: [(token: UInt64, outcome: AppendOutcome)]) {
            outcome = results.first?.outcome
        }
    }

    init(_ world: World, _ proxy: SimulatedProxy) {
        self.world = world
        self.proxy = proxy
    }

    func layout(of fingerprint: Fingerprint) -> RowLayout? {
        proxy.context.layouts.layout(of: fingerprint)
    }

    func append(_ rows: RowBatch, stream: String, key: String) throws(LetterQueueFault) {
        for event in EventRows.events(in: rows.bytes) ?? [] { world.account.retried.insert(event) }
        let request = KeyedRequest(key: Self.key(stream, key), bodyDigest: Self.digest(Array(rows.bytes)))
        let number = Int(truncatingIfNeeded: request.key.low & 0xFF)
        let answer = Answer()
        proxy.append(rows, lane: number, keyed: request, sink: answer, token: 0)
        if answer.outcome == nil { proxy.write(proxy.active[number % proxy.active.count]) }
        switch answer.outcome {
        case .durable: return
        case nil: throw LetterQueueFault("the process has stopped")
        case .keyReused: throw LetterQueueFault("the queue knows its key with other rows")
        case .full, .overloaded, .failed, .closing: throw LetterQueueFault("the queue takes nothing")
        }
    }

    func fate(stream: String, key: String) -> KeyFate {
        proxy.keys.window.fate(of: Self.key(stream, key))
    }

    private static func key(_ stream: String, _ key: String) -> IdempotencyKey {
        IdempotencyKey(high: .max, low: digest(Array("\(stream)\0\(key)".utf8)))
    }

    private static func digest(_ bytes: [UInt8]) -> UInt64 {
        var digest = Digest()
        for byte in bytes { digest.add(UInt64(byte)) }
        return digest.value
    }
}
