import Delivery
import Records
import SegmentedLog

/// The lives of the proxy.
extension World {
    func startProxy() {
        guard let around else { return }
        if isCalm {
            setTrouble(0)
        } else {
            setTrouble(random.chance(500) ? plan.diskTrouble : 0)
            if random.chance(100) { fuse.left = random.below(40) }
        }
        let lanes = random.within(1...plan.maximumLanes)
        history.note(.proxy, "starts with \(lanes) lanes")
        do throws(SimulatedProxy.StartFault) {
            let started = try SimulatedProxy(lanes: lanes, around, seed: random.next())
            proxy = started
            for lane in started.lanes {
                if lane.report.verdict == .torn { tally.add(.tornTails) }
                tally.add(.undoneRuns, lane.report.undoneBlocks > 0 ? 1 : 0)
                history.note(.proxy, "lane \(lane.key.lane) opened: \(lane.report.verdict), end \(lane.report.end)")
            }
            if !fuse.isBlown { inspect(started) }
        } catch {
            tally.add(.failedStarts)
            history.note(.proxy, "the start failed: \(error.reason)")
            startFault = error.reason
            if fuse.isBlown { stopProxy(inCall: true) } else { disk.processEnd() }
        }
        if fuse.isBlown { stopProxy(inCall: true) }
    }

    func stopProxy(inCall: Bool) {
        if !inCall, random.chance(150), let proxy {
            history.note(.proxy, "is stopped in order")
            proxy.close()
        }
        proxy = nil
        if random.chance(500) {
            let loss = disk.powerCut()
            tally.add(.powerCuts)
            if loss.files > 0 { tally.add(.lostBytes) }
            if loss.directories > 0 { tally.add(.lostNames) }
            history.note(
                .world,
                "POWER CUT\(inCall ? " in the middle of a call" : ""): \(loss.files) files lost bytes, \(loss.directories) directories names"
            )
        } else {
            disk.processEnd()
            tally.add(inCall ? .killsInCalls : .kills)
            history.note(.world, "KILL\(inCall ? " in the middle of a call" : "")")
        }
    }
}
