import Testing

@testable import IngestServer

// Every loop with every number of lanes: no lane is left without connections, and each connection keeps its lane.
@Suite struct LaneChoiceTests {
    @Test(arguments: 1...6, 1...9)
    func connectionsReachEveryLane(loops: Int, lanes: Int) {
        var reached: Set<Int> = []
        for number in 0..<UInt64(loops * lanes * 2) {
            for loop in 0..<loops {
                let choice = LaneChoice.connection(number: number, loop: loop, loops: loops)
                let lane = choice.lane(of: lanes)
                #expect(0..<lanes ~= lane)
                #expect(choice.lane(of: lanes) == lane)
                reached.insert(lane)
            }
        }
        #expect(reached == Set(0..<lanes))
    }

    @Test(arguments: 1...4)
    func whatALoopReadsGoesToOneLaneWhereThereAreNoMoreLanesThanLoops(lanes: Int) {
        for loop in 0..<4 {
            let chosen = Set((0..<100).map { LaneChoice.connection(number: $0, loop: loop, loops: 4).lane(of: lanes) })
            #expect(chosen == [loop % lanes])
        }
    }

    @Test func anOrderKeyPicksTheSameLaneOnEveryLoop() {
        #expect(LaneChoice.ordered(7).lane(of: 4) == 3)
        #expect(LaneChoice.ordered(.max).lane(of: 2) == 1)
    }
}
