import Glibc

/// A thread of the process's own, for work that blocks. It must be joined.
package final class OwnedThread: @unchecked Sendable {
    // Sendable because the handle is written once, before anyone else can see it.
    private var handle = pthread_t()

    private final class Start {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts the thread. The name is cut to 15 bytes, which is what the kernel keeps.
    ///
    /// It runs under SCHED_BATCH: woken while the processors are busy, it does not push aside the thread that woke it (sched(7)). An event
    /// loop so goes on reading, and what a lane takes is larger the higher the load; on a free processor it runs at once all the same.
    package init(name: String, _ body: @escaping @Sendable () -> Void) throws(QueueFault) {
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        let code = pthread_create(
            &handle,
            nil,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                OwnedThread.nameCurrent(String(start.name.prefix(15)))
                OwnedThread.yieldToLoops()
                start.body()
                return nil
            },
            start.toOpaque()
        )
        guard code == 0 else {
            start.release()
            throw .thread(name: name, reason: String(cString: strerror(code)))
        }
    }

    /// Names the calling thread, for those who look with `ps` or `perf`; without a /proc it stays nameless.
    private static func nameCurrent(_ name: String) {
        let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        let bytes = Array(name.utf8)
        _ = write(descriptor, bytes, bytes.count)
        close(descriptor)
    }

    /// SCHED_BATCH of <linux/sched.h>, which the C library shows to GNU sources only.
    private static let batchPolicy: Int32 = 3

    private static func yieldToLoops() {
        var parameters = sched_param()
        // It only makes things slower if a sandbox forbids it.
        _ = pthread_setschedparam(pthread_self(), batchPolicy, &parameters)
    }

    /// Waits until the thread has ended. Called once.
    package func join() {
        pthread_join(handle, nil)
    }
}
