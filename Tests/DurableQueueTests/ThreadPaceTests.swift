// What the kernel says of a thread that has taken a pace. Without privileges, as the proxy runs.
import CScheduling
import DurableQueue
import Glibc
import Synchronization
import Testing

@Suite struct ThreadPaceTests {
    private static let other: Int32 = 0
    private static let batch: Int32 = 3

    private func onThread(_ pace: ThreadPace) throws -> (policy: Int32, slice: UInt64) {
        let seen = Mutex<(Int32, UInt64)>((-1, 0))
        try OwnedThread(name: "pace", pace: pace) {
            var policy: Int32 = -1
            var parameters = sched_param()
            pthread_getschedparam(pthread_self(), &policy, &parameters)
            seen.withLock { $0 = (policy, forebay_get_slice()) }
        }.join()
        return seen.withLock { $0 }
    }

    @Test func aPromptThreadHasAShorterSliceThanOthers() throws {
        let prompt = try onThread(.prompt)
        #expect(prompt.policy == Self.other)
        // A kernel before 6.12 tells of no slice at all.
        let usual = forebay_get_slice()
        if usual > 0 { #expect(prompt.slice < usual) }
    }

    @Test func aPatientThreadNeverPushesOthersAside() throws {
        #expect(try onThread(.patient).policy == Self.batch)
    }
}
