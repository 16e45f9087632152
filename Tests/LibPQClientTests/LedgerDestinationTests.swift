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
        let lane = LaneKey(queue: QueueID(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max)), lane: LaneID(3))

        init() throws {
            destination = try Self.makeDestination()
        }

        static func makeDestination() throws -> LedgerDestination {
            LedgerDestination(
                directory: NamedPrimary(TestDatabase.address(try TestDatabase.cluster.primary)),
                settings: TestDatabase.writerSettings
            )
        }

        func flush(epoch: Int64, from: UInt64 = 0, to: UInt64, _ parts: [Flush.Part]) -> Flush {
            Flush(lane: lane, epoch: epoch, from: Offset(from), to: Offset(to), parts: parts)
        }

        @Test
        func rowsAndLedgerLandTogether() throws {
            let table = try TestTable("landing")
            let claim = try destination.claim(lane)
            #expect(claim.position == .none)
            #expect(
                try destination.flush(flush(epoch: claim.epoch, to: 2, [table.part([(1, "a"), (2, nil)])]))
                    == FlushReceipt(rows: 2)
            )
            #expect(try table.contents() == ["1 a", "2 null"])
            #expect(try destination.claim(lane).position == Offset(2))
        }

        /// Two servers that go apart give different epochs to the claims that they both lack.
        @Test
        func eachClaimRaisesTheEpochByAnotherNumber() throws {
            var epochs: [Int64] = [0]
            for _ in 0..<8 { epochs.append(try destination.claim(lane).epoch) }
            let steps = zip(epochs.dropFirst(), epochs).map { $0 - $1 }
            #expect(steps.allSatisfy { $0 > 0 && $0 <= 1 << 31 })
            #expect(Set(steps).count == steps.count)
        }

        @Test
        func severalTablesInOneTransaction() throws {
            let tables = try [TestTable("first"), TestTable("Second \"quoted\" one"), TestTable("third")]
            let epoch = try destination.claim(lane).epoch
            let parts =
                tables.enumerated().map { $1.part([(Int64($0), "x"), (Int64($0 + 10), "y")]) } + [
                    tables[0].part([(99, "z")])
                ]
            #expect(try destination.flush(flush(epoch: epoch, to: 7, parts)).rows == 7)
            #expect(try tables[0].contents() == ["0 x", "10 y", "99 z"])
            #expect(try tables[1].contents() == ["1 x", "11 y"])
            #expect(try tables[2].contents() == ["2 x", "12 y"])
        }

        @Test
        func aChunkIsCutAsTheSlicesSay() throws {
            let table = try TestTable("cut")
            var rows = TestRows()
            for number in 1...5 {
                rows.add(Int64(number), "row \(number)")
            }
            let whole = rows.slice(first: Offset(1), fingerprint: table.layout.fingerprint)
            var part = Flush.Part(layout: table.layout, slices: [whole, whole])
            part.slices[0].range = 0..<rows.bounds[2]
            part.slices[1].range = rows.bounds[3]..<rows.bounds[5]
            let epoch = try destination.claim(lane).epoch
            #expect(try destination.flush(flush(epoch: epoch, to: 5, [part])).rows == 4)
            #expect(try table.contents() == ["1 row 1", "2 row 2", "4 row 4", "5 row 5"])
        }

        @Test
        func rowsAreSentInTheirSequence() throws {
            let table = try TestTable("sequenced")
            // Rows larger than a message, as large as one with the rows before, and small ones.
            let texts = [10, 100_000, 30_000, 30_000, 5_531, 3, 64_000, 40_000, 1].enumerated().map { index, length in
                String(repeating: "\(index)", count: length)
            }
            var part = table.part(texts.enumerated().map { (Int64($0), $1) })
            var rows = TestRows()
            for (index, text) in texts.enumerated() { rows.add(Int64(index), text) }
            let order = [8, 1, 0, 2, 3, 4, 7, 6, 5]
            part.sequence = order.map { row in
                Flush.RowPlace(
                    slice: 0,
                    row: Int32(row),
                    start: Int32(rows.bounds[row]),
                    length: Int32(rows.bounds[row + 1] - rows.bounds[row])
                )
            }
            let epoch = try destination.claim(lane).epoch
            #expect(try destination.flush(flush(epoch: epoch, to: 9, [part])).rows == 9)
            let landed = try TestDatabase.administrator()
                .query("SELECT n, t FROM public.sequenced ORDER BY ctid", by: .after(.seconds(10))).rows
            #expect(landed.map { $0.integer(0) } == order.map { Int64($0) })
            #expect(landed.map { $0.text(1) } == order.map { texts[$0] })
        }

        @Test
        func withoutRowsTheLedgerAloneAdvances() throws {
            let epoch = try destination.claim(lane).epoch
            #expect(try destination.flush(flush(epoch: epoch, to: 10, [])) == FlushReceipt(rows: 0))
            #expect(try destination.claim(lane).position == Offset(10))
        }

        @Test
        func manyMegabytesGoOutInPieces() throws {
            let table = try TestTable("large")
            var rows = TestRows()
            let text = String(repeating: "0123456789abcdef", count: 64)
            for number in 0..<20_000 {
                rows.add(Int64(number), text)
            }
            let part = Flush.Part(
                layout: table.layout,
                slices: [rows.slice(first: Offset(1), fingerprint: table.layout.fingerprint)]
            )
            let epoch = try destination.claim(lane).epoch
            var calls = 0
            #expect(
                try destination.flush(flush(epoch: epoch, to: 20_000, [part]), whileWaiting: { calls += 1 }).rows
                    == 20_000
            )
            #expect(calls == 1)
            let sum = try TestDatabase.administrator().query(
                "SELECT count(*), sum(n), min(length(t)) FROM public.large",
                by: .after(.seconds(10))
            )
            #expect(sum.rows.first?.values == ["20000", "199990000", "1024"])
        }

        @Test
        func aFlushFromElsewhereThanTheLedgerIsRefused() throws {
            let table = try TestTable("refused")
            let epoch = try destination.claim(lane).epoch
            let fault = #expect(throws: DeliveryFault.self) {
                try destination.flush(flush(epoch: epoch, from: 5, to: 6, [table.part([(1, "a")])]))
            }
            #expect(fault?.phase == .sending)
            #expect(fault?.part == nil)
            #expect(fault?.serverError?.sqlState == "FB001")
            #expect(fault?.serverError?.message == "lane \(lane) can not go from 5 to 6 in epoch \(epoch)")
            #expect(fault?.serverError?.detail == "The ledger has epoch \(epoch) and position 0.")
            #expect(try table.contents() == [])
        }

        @Test
        func theLedgerNeverGoesBack() throws {
            let epoch = try destination.claim(lane).epoch
            _ = try destination.flush(flush(epoch: epoch, to: 5, []))
            let fault = #expect(throws: DeliveryFault.self) {
                try destination.flush(flush(epoch: epoch, from: 5, to: 4, []))
            }
            #expect(fault?.serverError?.sqlState == "FB001")
            #expect(fault?.phase == .committing)
            #expect(try destination.claim(lane).position == Offset(5))
        }

        @Test
        func anEarlierClaimIsFencedOff() throws {
            let table = try TestTable("fenced")
            let other = try Self.makeDestination()
            let epoch = try destination.claim(lane).epoch
            let later = try other.claim(lane).epoch
            #expect(later > epoch)
            let fault = #expect(throws: DeliveryFault.self) {
                try destination.flush(flush(epoch: epoch, to: 1, [table.part([(1, "old")])]))
            }
            #expect(fault?.serverError?.sqlState == "FB001")
            _ = try other.flush(flush(epoch: later, to: 1, [table.part([(1, "new")])]))
            #expect(try table.contents() == ["1 new"])
        }

        @Test
        func withoutAClaimNothingIsSent() throws {
            let fault = #expect(throws: DeliveryFault.self) { try destination.flush(flush(epoch: 1, to: 1, [])) }
            #expect(fault?.phase == .connecting)
        }
    }
}

extension DeliveryFault {
    var serverError: ServerError? {
        if case .server(let error) = cause { error } else { nil }
    }

    var connectionText: String? {
        if case .connection(let text) = cause { text } else { nil }
    }
}
