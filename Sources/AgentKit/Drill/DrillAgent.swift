/// An agent of a crash drill: sends numbered events in batches of random size, each batch again and again until it is
/// acknowledged, whatever happens to the proxy meanwhile, and keeps a journal.
package struct DrillAgent: Sendable {
    package struct Settings: Sendable {
        package var run: String
        package var number: Int
        package var journalDirectory: String
        package var keys: Bool
        package var largestBatch: Int
        /// Bytes of random text in each event besides the generated ones.
        package var padding: Int
        /// Events a second of this agent; nil for as fast as acknowledgements allow.
        package var rate: Double?
        package var seed: UInt64
        /// The events carry about this time.
        package var eventTime: Timestamp

        package init(
            run: String,
            number: Int,
            journalDirectory: String,
            keys: Bool,
            largestBatch: Int = 200,
            padding: Int = 0,
            rate: Double? = nil,
            seed: UInt64,
            eventTime: Timestamp
        ) {
            self.run = run
            self.number = number
            self.journalDirectory = journalDirectory
            self.keys = keys
            self.largestBatch = largestBatch
            self.padding = padding
            self.rate = rate
            self.seed = seed
            self.eventTime = eventTime
        }
    }

    private let settings: Settings
    private let transport: any BatchTransport
    private let tally: DrillTally
    private let stop: StopSignal

    package init(settings: Settings, transport: any BatchTransport, tally: DrillTally, stop: StopSignal) {
        self.settings = settings
        self.transport = transport
        self.tally = tally
        self.stop = stop
    }

    /// Sends until the stop signal, then ends once the batch under way is acknowledged, or when the task is cancelled.
    package func run() async throws {
        let journal = try DrillJournal(
            directory: settings.journalDirectory,
            run: settings.run,
            agent: settings.number,
            keys: settings.keys
        )
        var random = SeededRandom(seed: settings.seed &+ UInt64(settings.number) &* 0x9E37_79B9)
        var generator = RequestGenerator(
            seed: settings.seed &+ UInt64(settings.number),
            count: 1 << 40,
            from: settings.eventTime,
            to: Timestamp(microseconds: settings.eventTime.microseconds + 60 * Timestamp.microsecondsPerSecond)
        )
        // Every event takes its part of one long text, from a place of its own, which no compression finds.
        let text = Self.randomText(settings.padding > 0 ? settings.padding + (1 << 20) : 0, &random)
        let start = ContinuousClock.now
        var sent = 0
        while !stop.isRaised {
            if let rate = settings.rate {
                try? await Task.sleep(until: start + .seconds(Double(sent) / rate), clock: .continuous)
                if stop.isRaised { break }
            }
            let count = 1 + random.below(settings.largestBatch)
            var body: [UInt8] = []
            for number in (sent + 1)...(sent + count) {
                guard let event = generator.next() else { return }
                let id = DrillID(run: settings.run, agent: settings.number, number: number)
                let place = text.isEmpty ? 0 : random.below(1 << 20)
                let padding = text[place..<(place + settings.padding)]
                generator.catalog.appendLine(event, trace: id.description, padding: padding, to: &body)
            }
            journal.willSend(first: sent + 1, count: count)
            tally.change {
                $0.sentBatches += 1
                $0.sentEvents += count
            }
            guard await deliver(body, first: sent + 1, count: count, &random) else { return }
            journal.acknowledged(first: sent + 1, count: count)
            sent += count
        }
    }

    /// Letters, digits, dashes and underscores.
    private static func randomText(_ count: Int, _ random: inout SeededRandom) -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        return (0..<count).map { _ in alphabet[random.below(64)] }
    }

    /// True once the batch is acknowledged; false when it must be given up.
    private func deliver(_ body: [UInt8], first: Int, count: Int, _ random: inout SeededRandom) async -> Bool {
        let key = settings.keys ? "\(settings.run)-\(settings.number)-\(first)" : nil
        // Short pauses: a drill wants to meet a proxy that has only just come back.
        let policy = BatchDelivery.Policy(backoff: Backoff(first: .milliseconds(10), most: .milliseconds(200)))
        let start = ContinuousClock.now
        var delivery = BatchDelivery(eventCount: count, policy: policy, at: .zero)
        while true {
            let reply = await transport.post(body, key: key)
            let now = ContinuousClock.now
            switch delivery.replied(reply, at: now - start, spread: random.unit()) {
            case .acknowledged(let acknowledgement) where acknowledgement.accepted == count:
                tally.acknowledged(events: count, repeated: acknowledgement.repeated == true, at: now)
                return true
            case .acknowledged(let acknowledgement):
                return fail("batch \(first) of \(count) events: only \(acknowledgement.accepted) were accepted")
            case .resend(let pause, let reason):
                tally.change {
                    $0.resent += 1
                    $0.lastTrouble = reason
                }
                do {
                    try await Task.sleep(for: min(pause, .seconds(1)))
                } catch {
                    tally.change { $0.abandonedBatches += 1 }
                    return false
                }
            case .divide(let reason), .stop(let reason), .giveUp(let reason):
                return fail("batch \(first) of \(count) events: \(reason)")
            }
        }
    }

    private func fail(_ reason: String) -> Bool {
        tally.change {
            $0.abandonedBatches += 1
            $0.failure = $0.failure ?? "agent \(settings.number), \(reason)"
        }
        stop.raise()
        return false
    }
}
