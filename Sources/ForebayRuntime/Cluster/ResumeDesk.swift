import Delivery
import OpsServer
import Records
import Topology

/// Carries out `forebay lanes resume`.
struct ResumeDesk: Sendable {
    let crew: LaneCrew
    let journal: DeliveryJournal
    let watch: ClusterWatch

    /// Gives the order to the lanes that are held; where the cluster itself waits for an order, takes it first.
    func resume(_ request: LaneResumption) throws(OpsFault) -> LaneReport {
        let order: ClaimDecision.Order =
            switch request.order {
            case .replay: .replay
            case .skip: .skip
            }
        if case .none(let obstacle) = watch.choice, obstacle.isForAnOperator {
            guard request.lane == nil else {
                throw OpsFault(.request, "the cluster is taken for all lanes or for none: leave the lane out")
            }
            let lanes = crew.resume(order, in: .other) { _ in true }
            guard watch.adopt() else {
                crew.withdraw()
                throw OpsFault(.unavailable, "there is not exactly one node that takes writes: \(obstacle)")
            }
            return LaneReport(lanes: lanes)
        }
        let held = journal.held
        if let name = request.lane, !held.contains(where: { "\($0)" == name }) {
            throw OpsFault(.missing, "no lane \(name) is held")
        }
        let lanes = crew.resume(order, in: .same) { held.contains($0) && (request.lane ?? "\($0)") == "\($0)" }
        guard lanes > 0 else { throw OpsFault(.missing, "no lane is held") }
        return LaneReport(lanes: lanes)
    }
}
