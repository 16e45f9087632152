// Encryption at rest: nothing readable on the disk, rotation by segment, a missing key, tampering.
import Records
import SegmentedLog
import SimulationKit
import Testing

@Suite struct EncryptionTests {
    private func ring(_ ids: [String], active: String?) throws -> KeyRing {
        var keys: [String: [UInt8]] = [:]
        for id in ids { keys[id] = [UInt8](repeating: UInt8(id.utf8.first ?? 0), count: 32) }
        return try KeyRing(keys: keys, active: active)
    }

    @Test func rowsAreNotReadableOnTheDiskAndAreReadBack() throws {
        let lane = try LaneFixture(keyRing: ring(["a"], active: "a"))
        lane.append(1, rows: 20, padding: 64)
        let blanks = [UInt8](repeating: 0x20, count: 20)
        let stored = lane.disk.content(lane.path("00000000000000000001.segment"))
        #expect(!stored.indices.dropLast(20).contains { Array(stored[$0..<$0 + 20]) == blanks })
        #expect(try lane.readAll().stamps.count == 20)
        try lane.reopen()
        #expect(try lane.readAll().stamps.count == 20)
    }

    @Test func keysChangeFromSegmentToSegment() throws {
        let lane = try LaneFixture()
        lane.append(1)
        try lane.reopen(keyRing: ring(["a"], active: "a"))
        lane.append(2)
        try lane.reopen(keyRing: ring(["a", "b"], active: "b"))
        lane.append(3)
        try lane.reopen(keyRing: ring(["a", "b"], active: nil))
        lane.append(4)
        #expect(try lane.readAll().stamps.map(\.stamp.request) == [1, 2, 3, 4])
    }

    @Test func aMissingKeyIsNamedAndLosesNothing() throws {
        let lane = try LaneFixture(keyRing: ring(["a"], active: "a"))
        lane.append(1)
        try lane.reopen(keyRing: ring(["b"], active: "b"))
        lane.append(2)
        #expect(throws: LogFault.missingKey(id: "a")) { try lane.readAll() }
        #expect(try lane.readAll(after: Offset(1)).stamps.map(\.stamp.request) == [2])
        try lane.reopen(keyRing: ring(["a", "b"], active: "b"))
        #expect(try lane.readAll().stamps.map(\.stamp.request) == [1, 2])
    }

    @Test func aWrongKeyIsDamageNotRubbish() throws {
        let lane = try LaneFixture(keyRing: ring(["a"], active: "a"))
        lane.append(1)
        try lane.reopen(keyRing: KeyRing(keys: ["a": [UInt8](repeating: 1, count: 32)], active: "a"))
        let (rows, lost) = try lane.readAll()
        #expect(rows.isEmpty && lost == [Offset(1)...Offset(1)])
    }

    @Test func unfitKeysAreRefusedByName() {
        #expect(throws: KeyRing.Fault.length(id: "a", bytes: 5)) {
            try KeyRing(keys: ["a": [1, 2, 3, 4, 5]], active: "a")
        }
        #expect(throws: KeyRing.Fault.activeMissing("b")) {
            try KeyRing(keys: ["a": [UInt8](repeating: 1, count: 32)], active: "b")
        }
        let long = String(repeating: "x", count: 64)
        #expect(throws: KeyRing.Fault.identifier(long)) {
            try KeyRing(keys: [long: [UInt8](repeating: 1, count: 32)], active: nil)
        }
    }
}
