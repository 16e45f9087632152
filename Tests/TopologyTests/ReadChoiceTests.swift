// Method: every combination of what two nodes can be (and of a smaller choice for three), every policy, early and late, against the rows of the table in
// Topology.docc/ReadChoice.md, written down a second time as sentences about sets of nodes.

import Testing
import Topology

@Suite
struct ReadChoiceTests {
    typealias Candidate = ReadChoice.Candidate

    private static func candidates(_ standings: [ReadRoster.Standing], inUse: [Int]) -> [Candidate] {
        standings.flatMap { standing in
            inUse.flatMap { inUse in
                [true, false].flatMap { isOpen in
                    [true, false].map {
                        Candidate(standing: standing, inUse: inUse, isOpen: isOpen, reaches: $0)
                    }
                }
            }
        }
    }

    private static let policies = ReadChoice.LastResort.allCases.flatMap { last in
        ReadChoice.Overdue.allCases.map { ReadChoice.Policy(lastResort: last, overdue: $0) }
    }

    /// The rows, and whether the choice is one that the row allows.
    private static func row(
        _ nodes: [Candidate],
        _ policy: ReadChoice.Policy,
        _ isLate: Bool,
        _ choice: ReadChoice
    ) -> (name: String, isRight: Bool) {
        let ready = nodes.filter { $0.standing == .ready }
        let reaching = ready.filter(\.reaches)
        func isLeast(of allowed: [Candidate]) -> Bool {
            guard case .node(let index) = choice else { return false }
            return allowed.contains(nodes[index]) && allowed.allSatisfy { nodes[index].inUse <= $0.inUse }
        }
        let open = reaching.filter(\.isOpen)
        if !open.isEmpty { return ("replica", isLeast(of: open)) }
        if !reaching.isEmpty { return ("full", choice == (isLate ? .refuse(.full) : .wait(.full))) }
        if !ready.isEmpty {
            guard isLate else { return ("floor", choice == .wait(.floor)) }
            switch policy.overdue {
            case .error: return ("floor, error", choice == .refuse(.floor))
            case .stale:
                let any = ready.filter(\.isOpen)
                return ("floor, stale", any.isEmpty ? choice == .refuse(.full) : isLeast(of: any))
            case .primary: break
            }
        } else {
            switch policy.lastResort {
            case .primary: break
            case .wait: return ("patient", choice == (isLate ? .refuse(.nobody) : .wait(.nobody)))
            case .error: return ("strict", choice == .refuse(.nobody))
            }
        }
        guard let index = nodes.firstIndex(where: { $0.standing == .primary }) else {
            let reason = ready.isEmpty ? ReadChoice.Reason.nobody : .floor
            return ("nobody", choice == (isLate ? .refuse(reason) : .wait(reason)))
        }
        switch (nodes[index].reaches || (isLate && policy.overdue == .stale), nodes[index].isOpen) {
        case (true, true): return ("last resort", choice == .node(index))
        case (true, false): return ("primary full", choice == (isLate ? .refuse(.full) : .wait(.full)))
        case (false, _): return ("primary's floor", choice == (isLate ? .refuse(.floor) : .wait(.floor)))
        }
    }

    private static func check(_ nodes: [Candidate], _ seen: inout Set<String>) -> Bool {
        for policy in policies {
            for isLate in [false, true] {
                for turn in nodes.indices {
                    let choice = ReadChoice.of(nodes, policy: policy, turn: turn, isLate: isLate)
                    let (name, isRight) = row(nodes, policy, isLate, choice)
                    seen.insert(name)
                    guard isRight else {
                        Issue.record("\(nodes) under \(policy), late \(isLate): \(choice), against row \(name)")
                        return false
                    }
                }
            }
        }
        return true
    }

    @Test
    func everyCombination() {
        var seen: Set<String> = []
        let all = Self.candidates(ReadRoster.Standing.allCases, inUse: [0, 3])
        for first in all {
            for second in all {
                guard Self.check([first, second], &seen) else { return }
            }
        }
        let some = Self.candidates([.ready, .primary, .behind], inUse: [1])
        for first in some {
            for second in some {
                for third in some {
                    guard Self.check([first, second, third], &seen) else { return }
                }
            }
        }
        #expect(
            seen == [
                "replica", "full", "floor", "floor, error", "floor, stale", "last resort", "primary full",
                "primary's floor", "nobody", "patient", "strict",
            ]
        )
        #expect(ReadChoice.of([], policy: .init(), turn: 0, isLate: true) == .refuse(.nobody))
    }

    @Test
    func equalsTakeTurns() {
        let nodes = [Candidate(standing: .primary), Candidate(standing: .ready), Candidate(standing: .ready)]
        let chosen = (0..<6).map { ReadChoice.of(nodes, policy: .init(), turn: $0, isLate: false) }
        #expect(Set(chosen) == [.node(1), .node(2)])
    }
}
