import Dispatch
import Glibc

/// Reads a file, a pipe or a terminal as its bytes come. Nothing is read that was not asked for, so a slow server holds up the
/// writer of the pipe.
///
/// Owner: the one task that calls ``read(until:)``; one call at a time.
package final class InputReader: @unchecked Sendable {
    // Sendable because the buffer is only touched between the call and its continuation, which orders the accesses.

    package enum Event: Hashable, Sendable {
        /// The bytes are in ``bytes``.
        case read
        case end
        /// The moment came without bytes.
        case due
        case stopped
        case failed(code: Int32)
    }

    /// How the input is called in messages.
    package let name: String
    /// All of it is at hand, so nothing is gained by sending a part early.
    package let isRegularFile: Bool
    private let descriptor: Int32
    private let ownsDescriptor: Bool
    private let stop: StopSignal
    private let queue = DispatchQueue(label: "forebay.input")
    private let buffer: UnsafeMutableRawBufferPointer
    private var filled = 0

    /// Reads from an open descriptor, which stays the caller's.
    package init(descriptor: Int32, name: String, stop: StopSignal) {
        self.descriptor = descriptor
        self.name = name
        self.stop = stop
        ownsDescriptor = false
        isRegularFile = Self.isRegular(descriptor)
        buffer = .allocate(byteCount: 1 << 16, alignment: 16)
    }

    /// Opens a file; throws the error number of open(2).
    package init(path: String, stop: StopSignal) throws(InputFault) {
        let opened = open(path, O_RDONLY | O_CLOEXEC)
        guard opened >= 0 else { throw InputFault(name: path, code: errno) }
        descriptor = opened
        name = path
        self.stop = stop
        ownsDescriptor = true
        isRegularFile = Self.isRegular(opened)
        buffer = .allocate(byteCount: 1 << 16, alignment: 16)
    }

    deinit {
        buffer.deallocate()
        if ownsDescriptor {
            close(descriptor)
        }
    }

    /// What the last ``read(until:)`` read; valid until the next.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[..<filled]) }

    /// Waits for bytes, the end, the stop signal, or until `timeout` has passed (nil: however long it takes).
    package func read(until timeout: Duration?) async -> Event {
        await withCheckedContinuation { continuation in
            queue.async { [self] in
                continuation.resume(returning: readNow(timeout))
            }
        }
    }

    private func readNow(_ timeout: Duration?) -> Event {
        filled = 0
        var waits = [
            pollfd(fd: stop.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        ]
        let milliseconds = timeout.map { max(0, min(3_600_000, Int32(clamping: ($0 / .milliseconds(1)).roundedUp))) }
        while true {
            let ready = poll(&waits, 2, milliseconds ?? -1)
            if ready < 0 {
                guard errno == EINTR else { return .failed(code: errno) }
                continue
            }
            if waits[0].revents != 0 { return .stopped }
            if ready == 0 { return .due }
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count < 0 {
                guard errno == EINTR || errno == EAGAIN else { return .failed(code: errno) }
                continue
            }
            filled = count
            return count == 0 ? .end : .read
        }
    }

    private static func isRegular(_ descriptor: Int32) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }
}

/// An input that could not be read.
package struct InputFault: Error, Hashable, CustomStringConvertible {
    package var name: String
    /// The error number.
    package var code: Int32

    package init(name: String, code: Int32) {
        self.name = name
        self.code = code
    }

    package var description: String { "\(name): \(String(cString: strerror(code)))" }
}

extension Double {
    fileprivate var roundedUp: Int64 { Int64(rounded(.up)) }
}
