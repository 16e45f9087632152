// Method: every combination of what three nodes can say, with and without a memory, against the rows of the table in Topology.docc/PrimaryChoice.md,
// written down a second time as sentences about sets of nodes.

import Testing
import Topology

@Suite
struct PrimaryChoiceTests {
    private static let ours: UInt64 = 7_000
    private static let other: UInt64 = 8_000
    private static let memory = ClusterMemory(systemIdentifier: ours, timeline: 5)
    private static let nodes = (1...3).map { NodeAddress(host: "10.0.0.\($0)") }

    private static func state(
        _ identifier: UInt64,
        recovering: Bool,
        _ timeline: Int?,
        position: UInt64 = 0x100
    ) -> NodeState {
        NodeState(
            version: 150_000,
            isInRecovery: recovering,
            systemIdentifier: identifier,
            timeline: timeline,
            position: WALPosition(rawValue: position)
        )
    }

    /// Everything that a node can say, as far as the choice looks.
    private static let sayings: [NodeState?] =
        [nil]
        + [ours, other].flatMap { identifier in
            [state(identifier, recovering: true, 5), state(identifier, recovering: true, nil)]
                + [nil, 1, 4, 5, 6, 7].map { state(identifier, recovering: false, $0) }
        }

    /// The table, read from the bottom up: the rows that remain are checked against the nodes one by one.
    private static func expected(_ said: [NodeState?], _ memory: ClusterMemory?) -> PrimaryChoice {
        let there = said.compactMap { $0 }
        if memory == nil, Set(there.map(\.systemIdentifier)).count > 1 {
            return .none(.mixed(identifiers: [ours, other]))
        }
        let identifier = memory?.systemIdentifier ?? there.first?.systemIdentifier ?? 0
        let floor = memory?.timeline ?? 0
        func nodes(_ holds: (NodeState) -> Bool) -> [NodeAddress] {
            zip(Self.nodes, said).filter { $0.1.map(holds) ?? false }.map(\.0)
        }
        let isOurs = { (state: NodeState) in state.systemIdentifier == identifier }
        let tellers = there.filter { isOurs($0) && !$0.isInRecovery }.compactMap(\.timeline)
        if let top = tellers.filter({ $0 >= floor }).max() {
            let leaders = nodes { isOurs($0) && !$0.isInRecovery && $0.timeline == top }
            return leaders.count == 1
                ? .primary(leaders[0], systemIdentifier: identifier, timeline: top)
                : .none(.split(leaders, timeline: top))
        }
        if !tellers.isEmpty {
            return .none(.abandoned(nodes { isOurs($0) && !$0.isInRecovery && $0.timeline != nil }, highest: floor))
        }
        let silent = nodes { isOurs($0) && !$0.isInRecovery }
        if !silent.isEmpty { return .none(.untold(silent)) }
        if there.contains(where: isOurs) { return .none(.replicas) }
        let foreign = nodes { _ in true }
        return foreign.isEmpty ? .none(.away) : .none(.foreign(foreign, expected: identifier))
    }

    @Test
    func everyCombinationOfThreeNodes() {
        var seen: Set<String> = []
        for memory in [nil, Self.memory] {
            for first in Self.sayings {
                for second in Self.sayings {
                    for third in Self.sayings {
                        let said = [first, second, third]
                        let choice = PrimaryChoice.of(Array(zip(Self.nodes, said)), memory: memory)
                        let expected = Self.expected(said, memory)
                        if choice != expected {
                            Issue.record("\(said), \(String(describing: memory)): \(choice), expected \(expected)")
                            return
                        }
                        seen.insert(Self.row(of: choice))
                    }
                }
            }
        }
        #expect(seen == ["mixed", "writer", "split", "abandoned", "untold", "replicas", "foreign", "away"])
    }

    private static func row(of choice: PrimaryChoice) -> String {
        switch choice {
        case .primary: "writer"
        case .none(.mixed): "mixed"
        case .none(.split): "split"
        case .none(.abandoned): "abandoned"
        case .none(.untold): "untold"
        case .none(.replicas): "replicas"
        case .none(.foreign): "foreign"
        case .none(.away): "away"
        case .none(.forgotten): "forgotten"
        }
    }

    private func choice(_ said: [NodeState?], memory: ClusterMemory? = PrimaryChoiceTests.memory) -> PrimaryChoice {
        PrimaryChoice.of(Array(zip(Self.nodes, said)), memory: memory)
    }

    @Test
    func anOldPrimaryThatComesBackIsPassedOver() {
        let old = Self.state(Self.ours, recovering: false, 5, position: 0xFFFF)
        let promoted = Self.state(Self.ours, recovering: false, 6, position: 0x10)
        #expect(choice([old, promoted, nil]).node == Self.nodes[1])
        // Alone, once the higher timeline was seen, it is not written to either.
        let later = ClusterMemory(systemIdentifier: Self.ours, timeline: 6)
        #expect(choice([old, nil, nil], memory: later) == .none(.abandoned([Self.nodes[0]], highest: 6)))
    }

    @Test
    func twoWritersOfOneTimelineAreBothLeftAlone() {
        let one = Self.state(Self.ours, recovering: false, 6, position: 0x10)
        let two = Self.state(Self.ours, recovering: false, 6, position: 0xFFFF)
        #expect(choice([one, two, nil]) == .none(.split([Self.nodes[0], Self.nodes[1]], timeline: 6)))
        #expect(choice([one, nil, nil]).node == Self.nodes[0])
    }

    @Test
    func bytesBehindAreToldOnOneTimelineOnly() {
        let primary = Self.state(Self.ours, recovering: false, 6, position: 0x1000)
        #expect(Self.state(Self.ours, recovering: true, 6, position: 0xF00).bytesBehind(primary) == 0x100)
        #expect(Self.state(Self.ours, recovering: true, 6, position: 0x2000).bytesBehind(primary) == 0)
        #expect(Self.state(Self.ours, recovering: true, 5, position: 0xF00).bytesBehind(primary) == nil)
        #expect(Self.state(Self.ours, recovering: true, nil, position: 0xF00).bytesBehind(primary) == nil)
        #expect(Self.state(Self.other, recovering: true, 6, position: 0xF00).bytesBehind(primary) == nil)
    }

    @Test(arguments: [("0/0", 0 as UInt64), ("16/B374D848", 0x16_B374_D848), ("FFFFFFFF/FFFFFFFF", .max)])
    func walPositions(text: String, value: UInt64) {
        #expect(WALPosition(text)?.rawValue == value)
        #expect(WALPosition(rawValue: value).description == text)
    }

    @Test(arguments: ["", "/", "1", "1/2/3", "G/0", "1/123456789", "-1/0"])
    func notAWALPosition(text: String) {
        #expect(WALPosition(text) == nil)
    }
}
