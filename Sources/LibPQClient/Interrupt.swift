import Glibc

/// Ends the waits of connections on other threads, once and for all: the shutdown's last word.
///
/// Every connection that was given it polls its descriptor together with the socket. Any thread may fire it.
package final class Interrupt: Sendable {
    /// The reading end of a pipe: readable for ever once the interrupt has been fired. -1 if the system had no descriptor left, and
    /// then nothing is interrupted, and deadlines alone end the waits.
    let descriptor: Int32
    private let writingEnd: Int32

    package init() {
        var ends: [Int32] = [-1, -1]
        if pipe(&ends) == 0 {
            for end in ends {
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
            }
        }
        descriptor = ends[0]
        writingEnd = ends[1]
    }

    deinit {
        if descriptor >= 0 {
            close(descriptor)
            close(writingEnd)
        }
    }

    /// Makes every wait, present and future, end with ``ConnectionFault/interrupted``.
    package func fire() {
        var byte: UInt8 = 1
        // A full pipe has been fired before.
        _ = write(writingEnd, &byte, 1)
    }
}
