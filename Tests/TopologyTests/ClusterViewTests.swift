// Method: tell the view what nodes say, at moments of its own, and look at what it wants done.

import Records
import Testing
import Topology

@Suite
struct ClusterViewTests {
    private let nodes = (1...3).map { NodeAddress(host: "10.0.0.\($0)") }

    private func says(_ node: Int, recovering: Bool, _ timeline: Int, system: UInt64 = 7) -> NodeObservation {
        NodeObservation(
            node: nodes[node],
            state: .success(
                NodeState(
                    version: 150_000,
                    isInRecovery: recovering,
                    systemIdentifier: system,
                    timeline: timeline,
                    position: WALPosition(rawValue: 1)
                )
            )
        )
    }

    private func isDown(_ node: Int) -> NodeObservation {
        NodeObservation(node: nodes[node], state: .failure(NodeFault(.down, "Connection refused")))
    }

    private func view(_ memory: ClusterMemory? = ClusterMemory(systemIdentifier: 7, timeline: 1)) -> ClusterView {
        ClusterView(nodes: nodes, memory: .success(memory))
    }

    @Test
    func theFirstClusterIsRememberedBeforeItIsWrittenTo() {
        var view = view(nil)
        #expect(view.note(says(0, recovering: false, 3), at: .zero).count == 1)
        #expect(view.note(isDown(1), at: .zero).count == 1)
        let actions = view.note(says(2, recovering: true, 3), at: .zero)
        let memory = ClusterMemory(systemIdentifier: 7, timeline: 3)
        #expect(
            actions.prefix(2) == [
                .remember(memory), .choose(.primary(nodes[0], systemIdentifier: 7, timeline: 3)),
            ]
        )
    }

    @Test
    func aPromotionIsRememberedAndChosen() {
        var view = view()
        _ = view.note(says(0, recovering: false, 1), at: .zero)
        #expect(view.choice.node == nodes[0])
        let actions = view.note(says(1, recovering: false, 2), at: .seconds(1))
        #expect(
            actions.prefix(2) == [
                .remember(ClusterMemory(systemIdentifier: 7, timeline: 2)),
                .choose(.primary(nodes[1], systemIdentifier: 7, timeline: 2)),
            ]
        )
        // The old one wakes up, and still takes writes.
        _ = view.note(says(0, recovering: false, 1), at: .seconds(2))
        #expect(view.choice.node == nodes[1])
    }

    @Test
    func aNodeThatHangsNeitherCountsNorBlocks() {
        var view = view()
        _ = view.note(says(0, recovering: false, 1), at: .zero)
        _ = view.choose(at: .seconds(2))
        #expect(view.choice.node == nodes[0])
        _ = view.choose(at: .seconds(4))
        #expect(view.choice == .none(.away))
        _ = view.note(says(1, recovering: false, 1), at: .seconds(4))
        #expect(view.choice.node == nodes[1])
    }

    @Test
    func anotherClusterIsTakenWhenSomebodySaysSoOnly() {
        var view = view()
        for node in 0..<3 { _ = view.note(says(node, recovering: node > 0, 1, system: 8), at: .zero) }
        #expect(view.choice == .none(.foreign(nodes, expected: 7)))
        #expect(view.isWhollyForeign(at: .zero))
        let actions = view.adopt(at: .zero)
        #expect(actions?.first == .remember(ClusterMemory(systemIdentifier: 8, timeline: 1)))
        #expect(view.choice == .primary(nodes[0], systemIdentifier: 8, timeline: 1))
    }

    @Test
    func oneForeignNodeAmongSilentOnesIsNotAClusterMadeAnew() {
        var view = view()
        _ = view.note(says(0, recovering: false, 1, system: 8), at: .zero)
        _ = view.note(isDown(1), at: .zero)
        _ = view.note(isDown(2), at: .zero)
        #expect(!view.isWhollyForeign(at: .zero))
    }

    @Test
    func whereThereIsAPrimaryThereIsNothingToTake() {
        var view = view()
        _ = view.note(says(0, recovering: false, 1), at: .zero)
        #expect(view.adopt(at: .zero) == nil)
    }

    @Test
    func aMemoryThatCantBeReadChoosesNothing() {
        var view = ClusterView(nodes: nodes, memory: .failure(ClusterMemory.Fault(description: "rubbish")))
        _ = view.note(says(0, recovering: false, 1), at: .zero)
        #expect(view.choice == .none(.forgotten("rubbish")))
        #expect(view.adopt(at: .zero) == nil)
    }

    // MARK: The file

    @Test
    func theMemoryComesBackAsItWas() throws {
        let memory = ClusterMemory(systemIdentifier: .max, timeline: 4_294_967_295)
        #expect(try ClusterMemory(decoding: memory.encoded) == memory)
        #expect(String(decoding: memory.encoded, as: UTF8.self).split(separator: "\n").count == 3)
    }

    @Test(arguments: [
        ("", "does not begin"), ("forebay-queue 1\n", "does not begin"),
        ("forebay-cluster 2\nsystem 1\ntimeline 1\n", "this version of forebay reads"),
        ("forebay-cluster 1\nsystem 1\ntimeline 1", "three lines"), ("forebay-cluster 1\nsystem 1\n", "three lines"),
        ("forebay-cluster 1\nsystem 0\ntimeline 1\n", "second line"),
        ("forebay-cluster 1\nsystem -1\ntimeline 1\n", "second line"),
        ("forebay-cluster 1\nsystem 99999999999999999999\ntimeline 1\n", "second line"),
        ("forebay-cluster 1\nsystem 1\ntimeline +1\n", "third line"),
        ("forebay-cluster 1\nsystem 1\ntimeline 0\n", "third line"),
        ("forebay-cluster 1\nsystem 1\ntimeline 4294967296\n", "third line"),
        (String(repeating: "x", count: 5000), "5000 bytes"),
    ])
    func everythingElseIsRefusedInWords(text: String, reason: String) {
        let fault = #expect(throws: ClusterMemory.Fault.self) { try ClusterMemory(decoding: Array(text.utf8)) }
        #expect(fault?.description.contains(reason) == true)
    }
}
