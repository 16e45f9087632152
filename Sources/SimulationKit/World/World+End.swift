import Delivery
import Records
import SegmentedLog

/// The end: the faults cease, everything is delivered, the accounts are closed.
extension World {
    func settleDown() {
        isCalm = true
        history.step += 1
        history.note(.world, "the faults cease")
        disk.capacity = nil
        postgres.broken = []
        cluster?.heal()
        stopProxy(inCall: false)
        start()
        drive()
        if let proxy, violation == nil, plan.retriesLetters {
            retryLetters(proxy, all: true)
            drive()
        }
        if let proxy, violation == nil { checkEnd(proxy) }
    }

    private func start() {
        for _ in 0..<5 where proxy == nil && violation == nil {
            history.step += 1
            startProxy()
        }
        if proxy == nil { fail("the proxy does not start any more: \(startFault ?? "for no reason")") }
    }

    /// Lets everybody work until nothing is left to do.
    private func drive() {
        guard let proxy else { return }
        proxy.tryParkedStreams()
        for round in 0..<2_000 where violation == nil {
            history.step += 1
            clock.now += .milliseconds(20)
            let open = pending.filter { !requests[$0].isAcknowledged && !requests[$0].isAbandoned }
            for number in open where round % 8 == 0 {
                // Some agents have given up, or are not there any more.
                let isLate = clock.now - requests[number].firstSent > plan.window - .seconds(3)
                if isLate || random.chance(200) { requests[number].isAbandoned = true } else { send(number, proxy) }
            }
            for lane in proxy.active where !lane.inbox.isEmpty { proxy.write(lane) }
            for lane in proxy.lanes where lane.isDue(at: clock.now) { proxy.deliver(lane) }
            replicate()
            if cluster != nil {
                letTheClusterGoOn()
                if round % 16 == 15 { resumeLanes() }
            }
            if round % 4 == 0 {
                proxy.care()
                tendLetters(proxy)
            }
            checkConservation()
            checkReplicas()
            if open.isEmpty, isDelivered(proxy) { return }
            if proxy.active.allSatisfy(\.inbox.isEmpty), let next = proxy.lanes.compactMap(\.wakesAt).min() {
                clock.now = max(clock.now, min(next, clock.now + .seconds(1)))
            }
        }
        guard violation == nil else { return }
        let lanes = proxy.lanes.map { lane in
            let ledger = postgres.state[lane.key].ledger.position
            return "lane \(lane.key.lane) at \(ledger) of \(lane.catalogue.end)"
                + (proxy.watch.map { ", \($0.choice)" } ?? "") + (lane.hold.map { ", held: \($0)" } ?? "")
                + (lane.log.readOnlyReason.map { ", read-only: \($0)" } ?? "") + (lane.isFull ? ", full" : "")
        }
        fail("with no fault left the world does not come to rest: \(lanes.joined(separator: "; "))")
    }

    private func isDelivered(_ proxy: SimulatedProxy) -> Bool {
        proxy.lanes.allSatisfy { lane in
            lane.inbox.isEmpty && postgres.state[lane.key].ledger.position == lane.catalogue.end
        }
    }
}
