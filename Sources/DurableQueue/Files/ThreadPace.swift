import CScheduling
import Glibc

/// How a thread shares busy processors with others. On a free one every thread runs at once.
package enum ThreadPace: Sendable, CaseIterable {
    /// Somebody waits for what the thread does, and it does little at a time: the read port's event loops.
    ///
    /// It takes short slices. Woken while others compute, it pushes aside whoever has a longer one, as every thread has that asked for
    /// nothing (about 3 ms), PostgreSQL's backends on the same machine among them; it would else wait for the end of their slice, which
    /// the kernel looks for only 250 times a second.
    case prompt
    /// As ``prompt``, and what waits is an agent for its acknowledgement: ingest's event loops, the lanes' threads. Their nice value is 5
    /// below the process's, where it may be: a thread that has just computed for longer than its share is not let in front of others
    /// otherwise, short slices or not. Threads of this pace do not push aside each other: an event loop goes on reading, and what a lane
    /// takes is larger the higher the load.
    case urgent
    /// Nobody waits for the single step: SCHED_BATCH. Woken, it never pushes aside the thread that woke it (sched(7)).
    case patient

    /// What a step of an event loop or a group commit needs of a processor, and some more.
    private static let slice: UInt64 = 500_000
    /// Three times the weight of a thread with the process's nice value (sched(7)).
    private static let lift: Int32 = 5
    /// SCHED_BATCH of <linux/sched.h>, which the C library shows to GNU sources only.
    private static let batchPolicy: Int32 = 3

    /// Makes it the calling thread's. What a sandbox or an old kernel refuses only makes things slower.
    package func adopt() {
        switch self {
        case .prompt:
            _ = forebay_set_slice(Self.slice, 0)
        case .urgent:
            _ = forebay_set_slice(Self.slice, Self.lift)
        case .patient:
            var parameters = sched_param()
            _ = pthread_setschedparam(pthread_self(), Self.batchPolicy, &parameters)
        }
    }
}
