// What the kernel says of a thread that has taken a pace.
import CScheduling
import DurableQueue
import Glibc
import Synchronization
import Testing

@Suite struct ThreadPaceTests {
    private static let other: Int32 = 0
    private static let batch: Int32 = 3

    private struct Seen {
        var policy: Int32 = -1
        var slice: UInt64 = 0
        var nice: Int32 = 0
    }

    private func onThread(_ pace: ThreadPace) throws -> Seen {
        let result = Mutex(Seen())
        try OwnedThread(name: "pace", pace: pace) {
            var seen = Seen(slice: forebay_get_slice(), nice: forebay_get_nice())
            var parameters = sched_param()
            pthread_getschedparam(pthread_self(), &seen.policy, &parameters)
            result.withLock { $0 = seen }
        }.join()
        return result.withLock { $0 }
    }

    @Test(arguments: [ThreadPace.prompt, .urgent])
    func whoIsWaitedForHasAShorterSliceThanOthers(pace: ThreadPace) throws {
        let seen = try onThread(pace)
        #expect(seen.policy == Self.other)
        // A kernel before 6.12 tells of no slice at all.
        let usual = forebay_get_slice()
        if usual > 0 { #expect(seen.slice < usual) }
    }

    @Test func aPatientThreadNeverPushesOthersAside() throws {
        #expect(try onThread(.patient).policy == Self.batch)
    }

    @Test func anUrgentThreadIsAheadOfTheProcessWhereItMayBe() throws {
        let usual = forebay_get_nice()
        #expect(try onThread(.prompt).nice == usual)
        #expect(try onThread(.patient).nice == usual)
        let isAllowed = Mutex(false)
        try OwnedThread(name: "lift") {
            let code = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, usual - 5)
            isAllowed.withLock { $0 = code == 0 }
        }.join()
        #expect(try onThread(.urgent).nice == (isAllowed.withLock { $0 } ? usual - 5 : usual))
    }
}
