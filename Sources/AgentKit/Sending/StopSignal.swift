import Dispatch
import Glibc
import Synchronization

/// A request to come to an end, which also wakes whoever waits for input: its descriptor becomes readable and stays so.
package final class StopSignal: Sendable {
    /// The reading end of a pipe; readable once the signal is raised.
    package let descriptor: Int32
    private let writingEnd: Int32
    private let raised = Mutex(0)
    private let sources = Mutex<[Held]>([])

    private struct Held: @unchecked Sendable {
        // Sendable because a held source is never used again; it only must not be freed.
        let source: any DispatchSourceSignal
    }

    package init() {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0, "a process without free descriptors cannot begin")
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        (descriptor, writingEnd) = (ends[0], ends[1])
    }

    deinit {
        close(descriptor)
        close(writingEnd)
    }

    package func raise() {
        raised.withLock { $0 += 1 }
        // A full pipe is as readable as one with a single byte.
        var byte: UInt8 = 1
        _ = write(writingEnd, &byte, 1)
    }

    package var isRaised: Bool { raised.withLock { $0 > 0 } }

    /// From now on SIGINT and SIGTERM raise this instead of ending the process; `again` is called when a second one comes.
    package func catchSignals(again: @escaping @Sendable () -> Void) {
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [self] in
                if isRaised { again() } else { raise() }
            }
            source.resume()
            let held = Held(source: source)
            sources.withLock { $0.append(held) }
        }
    }
}
