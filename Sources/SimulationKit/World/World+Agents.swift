import Delivery
import Records
import SegmentedLog

/// The agents: what they send, and send again, and what they make of the answers.
extension World {
    func sendSomething() {
        guard let proxy, !fuse.isBlown else { return }
        if !pending.isEmpty, random.chance(350) { return sendAgain(proxy) }
        if random.chance(20) { return sendAnotherBody(proxy) }
        let isLarge = random.chance(120)
        let request = Request(
            number: requests.count,
            rows: isLarge ? random.within(8...WorldPlan.largestRequest) : random.within(1...5),
            isKeyed: random.chance(600),
            isMixed: random.chance(100),
            firstSent: clock.now
        )
        requests.append(request)
        if isLarge { tally.add(.runs) }
        for row in 0..<request.rows where plan.poison > 0 && random.chance(plan.poison) {
            let event = EventID(request: request.number, row: row)
            let isDeferred = !random.chance(700)
            for server in servers {
                if isDeferred { server.deferredPoison.insert(event) } else { server.poison.insert(event) }
            }
        }
        if request.isKeyed { pending.append(request.number) }
        send(request.number, proxy)
    }

    /// An agent without an answer, or one that did not get it, sends the same again.
    func sendAgain(_ proxy: SimulatedProxy) {
        let place = random.below(pending.count)
        let number = pending[place]
        let isOver = requests[number].isAcknowledged ? random.chance(300) : random.chance(20)
        // Later than this the key may be forgotten.
        if isOver || clock.now - requests[number].firstSent > plan.window - .seconds(3) {
            requests[number].isAbandoned = true
            pending.swapAt(place, pending.count - 1)
            pending.removeLast()
            return
        }
        tally.add(.resends)
        send(number, proxy)
    }

    /// A key that comes with another body is refused.
    func sendAnotherBody(_ proxy: SimulatedProxy) {
        let known = pending.filter {
            requests[$0].isAcknowledged && clock.now - requests[$0].firstSent < plan.window - .seconds(3)
        }
        guard !known.isEmpty else { return }
        let request = requests[random.pick(known)]
        history.note(.agent, "sends another body under the key of request \(request.number)")
        let refusal = RefusalSink()
        proxy.append(
            request.batch(),
            lane: random.below(8),
            keyed: request.keyed(otherBody: true),
            sink: refusal,
            token: 0
        )
        if refusal.outcome != .keyReused {
            fail("another body under the key of request \(request.number) was answered with \(refusal.text)")
        }
    }

    func send(_ number: Int, _ proxy: SimulatedProxy) {
        let lane = requests[number].attempts > 0 && random.chance(700) ? number : random.below(8)
        requests[number].attempts += 1
        let request = requests[number]
        let key = proxy.active[lane % proxy.active.count].key
        requests[number].floor = account.acknowledged[key].map { key.position($0) }
        history.note(
            .agent,
            "sends \(request.text) to lane \(key.lane)\(request.attempts > 1 ? ", time \(request.attempts)" : "")"
        )
        proxy.append(
            request.batch(),
            lane: lane,
            keyed: request.keyed(),
            sink: sink,
            token: UInt64(number)
        )
    }

    func answer(_ number: Int, _ outcome: AppendOutcome) {
        if !isCalm, random.chance(60) {
            tally.add(.lostAnswers)
            return history.note(.agent, "does not get the answer to request \(number)")
        }
        history.note(.agent, "request \(number) is answered: \(outcome)")
        switch outcome {
        case .durable(let last, let count, let repeated):
            acknowledge(number, last, count: count, repeated: repeated)
        case .keyReused:
            fail("request \(number) was sent again and refused as another under its key")
        case .full:
            tally.add(.refusedFull)
            if requests[number].state == .open { requests[number].state = .refused }
        case .failed, .overloaded, .closing:
            tally.add(.refusedFailed)
            if requests[number].state == .open { requests[number].state = .refused }
        }
    }

    func acknowledge(_ number: Int, _ last: Position, count: Int, repeated: Bool) {
        let request = requests[number]
        guard count == request.rows else { return fail("\(request.text) was acknowledged as \(count) rows") }
        if case .acknowledged(let before) = request.state {
            if before != last { fail("\(request.text) was acknowledged at \(before) and at \(last)") }
            return
        }
        tally.add(.accepted)
        let key = LaneKey(queue: last.queue, lane: last.lane)
        if !repeated, let floor = request.floor, floor.lane == last.lane, floor.queue == last.queue,
            last.offset.rawValue < floor.offset.rawValue + UInt64(count)
        {
            fail("\(request.text) stands at \(last), sent after \(floor) had been acknowledged")
        }
        requests[number].state = .acknowledged(last: last)
        account.acknowledged[key] = max(account.acknowledged[key] ?? .none, last.offset)
    }
}

/// Where the answers to agents arrive.
final class AgentSink: AppendSink, @unchecked Sendable {
    // Sendable because a world uses it on one thread.
    private unowned let world: World

    init(_ world: World) {
        self.world = world
    }

    func appendsDidFinish(_ results: [(token: UInt64, outcome: AppendOutcome)]) {
        for result in results { world.answer(Int(result.token), result.outcome) }
    }
}

private final class RefusalSink: AppendSink, @unchecked Sendable {
    // Sendable because a world uses it on one thread.
    var outcome: AppendOutcome?

    var text: String { outcome.map { "\($0)" } ?? "nothing" }

    func appendsDidFinish(_ results: [(token: UInt64, outcome: AppendOutcome)]) {
        outcome = results.first?.outcome
    }
}
