// Method: flushes through LedgerDestination against a real server; what is in the tables afterwards is read by another connection.

import Delivery
import LibPQClient
import LocalPostgres
import Records
import Testing

extension RealServerTests {
    @Suite(.serialized)
    struct LedgerDestinationTests {
        let destination: LedgerDestination
        let lane = LaneKey(queue: QueueID(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max)), lane: LaneID(0))

        init() throws {
            destination = LedgerDestination(
                nodes: [TestDatabase.address(try TestDatabase.cluster.primary)],
                settings: TestDatabase.writerSettings
            )
        }

        @Test
        func rowsAndLedgerLandTogether() throws {
            let table = try TestTable("landing")
            let claimed = try destination.claim(lane)
            #expect(claimed == LedgerRow(epoch: 1, position: .none))

            let receipt = try destination.flush(
                Flush(lane: lane, epoch: 1, from: .none, to: Offset(2), parts: [table.part([(1, "a"), (2, nil)])])
            )
            #expect(receipt == FlushReceipt(rows: 2))
            #expect(try table.contents() == ["1 a", "2 null"])
            #expect(try destination.claim(lane) == LedgerRow(epoch: 2, position: Offset(2)))
        }
    }
}
