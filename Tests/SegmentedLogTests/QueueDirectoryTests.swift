// A queue directory on a disk that forgets names which were not synced.
import Records
import SegmentedLog
import SimulationKit
import Testing

@Suite struct QueueDirectoryTests {
    private let directory = QueueDirectory("parent/queue")

    private func disk() throws -> SimulatedDisk {
        let disk = SimulatedDisk(seed: 1)
        try disk.createDirectory("parent")
        disk.settle()
        return disk
    }

    @Test func theQueueItselfLasts() throws {
        let disk = try disk()
        var random = SplitMix(seed: 3)
        try directory.create(on: disk)
        let id = try directory.settleIdentity(on: disk, using: &random)
        disk.powerCut(keeping: 0)
        #expect(try directory.readIdentity(on: disk) == id)
        #expect(try disk.list(directory.path) == ["IDENTITY", "lanes", "layouts", "schemas"])
    }

    /// Found by simulation: a process was stopped between a layout's rename and its sync; the next one took the layout for lasting, wrote blocks
    /// that name it, and a power cut took the layout from under them.
    @Test func whatTheNextStartBelievesLasts() throws {
        let disk = try disk()
        try directory.create(on: disk)
        let layout = EventRows.layout("apirequests")
        var faults: [String] = []
        disk.fail(.syncDirectory)
        let layouts = try LayoutCatalogue.open(directory.layouts, on: disk, faults: &faults)
        #expect(throws: LogFault.self) { try layouts.register(layout) }
        disk.processEnd()

        try directory.create(on: disk)
        let next = try LayoutCatalogue.open(directory.layouts, on: disk, faults: &faults)
        #expect(next.layout(of: layout.fingerprint) == layout)
        disk.powerCut(keeping: 0)
        let last = try LayoutCatalogue.open(directory.layouts, on: disk, faults: &faults)
        #expect(last.layout(of: layout.fingerprint) == layout)
        #expect(faults.isEmpty)
    }
}
