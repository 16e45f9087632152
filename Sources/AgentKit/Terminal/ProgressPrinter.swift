import Glibc
import Synchronization

/// Shows the progress of a run on standard error: a bar that is redrawn on a terminal, a line every five seconds elsewhere.
package final class ProgressPrinter: Sendable {
    private let isTerminal: Bool
    private let isQuiet: Bool
    private let barIsDrawn = Mutex(false)
    private let start = ContinuousClock.now

    /// - Parameter quiet: shows nothing; messages still go out.
    package init(quiet: Bool = false) {
        isTerminal = isatty(STDERR_FILENO) == 1
        isQuiet = quiet
    }

    package var elapsed: Duration { ContinuousClock.now - start }

    /// Shows the progress until the task is cancelled.
    package func run(_ progress: @escaping @Sendable (_ elapsed: Duration) -> Progress) async {
        guard !isQuiet else { return }
        while true {
            do {
                try await Task.sleep(for: isTerminal ? .milliseconds(100) : .seconds(5))
            } catch {
                return
            }
            let now = progress(elapsed)
            if isTerminal {
                barIsDrawn.withLock { drawn in
                    write("\r\u{1B}[K" + now.bar(width: Self.terminalWidth - 1))
                    drawn = true
                }
            } else {
                write(now.text + "\n")
            }
        }
    }

    /// Prints a line, above the bar if there is one.
    package func say(_ line: String) {
        barIsDrawn.withLock { drawn in
            write((drawn ? "\r\u{1B}[K" : "") + line + "\n")
            drawn = false
        }
    }

    private func write(_ text: String) {
        writeAll(Array(text.utf8), to: STDERR_FILENO)
    }

    private static var terminalWidth: Int {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 20 ? Int(size.ws_col) : 80
    }
}

/// Writes all bytes to a descriptor; false if it does not take them.
@discardableResult
package func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count < 0 {
            guard errno == EINTR || errno == EAGAIN else { return false }
            continue
        }
        rest = rest.dropFirst(count)
    }
    return true
}
