import Glibc

/// A thread of the process's own, for work that blocks. It must be joined.
package final class OwnedThread: @unchecked Sendable {
    // Sendable because the handle is written once, before anyone else can see it.
    private var handle = pthread_t()

    private final class Start {
        let name: String
        let pace: ThreadPace
        let body: @Sendable () -> Void

        init(name: String, pace: ThreadPace, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.pace = pace
            self.body = body
        }
    }

    /// Starts the thread. The name is cut to 15 bytes, which is what the kernel keeps.
    package init(
        name: String,
        pace: ThreadPace = .patient,
        _ body: @escaping @Sendable () -> Void
    ) throws(QueueFault) {
        let start = Unmanaged.passRetained(Start(name: name, pace: pace, body: body))
        let code = pthread_create(
            &handle,
            nil,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                OwnedThread.nameCurrent(String(start.name.prefix(15)))
                start.pace.adopt()
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

    /// Waits until the thread has ended. Called once.
    package func join() {
        pthread_join(handle, nil)
    }
}
