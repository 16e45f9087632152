import AgentKit
import Glibc
import Testing

/// Method: texts in the form that proc(5) describes, with a name made to mislead, and this very process.
struct ProcessUsageTests {
    private let stat = "42 (a) R 9 (b) S 1 42 42 0 -1 4194560 10 0 0 0 250 50 7 8 20 0 3 0 100 200 300"
    private let status = "Name:\ta\nVmPeak:\t 999 kB\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\nThreads:\t3\n"

    @Test func readsTheFields() throws {
        let usage = try #require(ProcessUsage(stat: stat, status: status, ticksPerSecond: 100))
        #expect(usage.cpu == .seconds(3))
        #expect(usage.residentBytes == 1 << 20)
        #expect(usage.peakResidentBytes == 2 << 20)
    }

    @Test func refusesWhatIsIncomplete() {
        #expect(ProcessUsage(stat: "42 a", status: status, ticksPerSecond: 100) == nil)
        #expect(ProcessUsage(stat: "42 (a) R 1 2", status: status, ticksPerSecond: 100) == nil)
        #expect(ProcessUsage(stat: stat, status: "Name:\tkernel thread\n", ticksPerSecond: 100) == nil)
        #expect(ProcessUsage(pid: 0) == nil)
    }

    @Test func readsThisProcess() throws {
        let usage = try #require(ProcessUsage(pid: Int(getpid())))
        #expect(usage.residentBytes > 1 << 20)
        #expect(usage.peakResidentBytes >= usage.residentBytes)
    }

    @Test func addsProcessesUp() throws {
        let own = Int(getpid())
        let twice = try #require(ProcessUsage(of: [own, own]))
        #expect(twice.residentBytes > 1 << 21)
        #expect(ProcessUsage(of: [own, 0]) == nil)
        #expect(ProcessUsage(of: []) == nil)
    }
}
