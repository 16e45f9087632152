import Glibc
import SegmentedLog
import Synchronization

/// The lock of a queue directory: `flock` on `LOCK`, with the holder's process id inside. Given back when released, or when the
/// process ends in whatever way.
final class DirectoryLock: Sendable {
    private let descriptor: Int32
    private let isHeld = Atomic<Bool>(true)

    init(_ directory: String) throws(QueueFault) {
        let path = directory + "/LOCK"
        // What is there can be opened on a full disk too.
        let found = open(path, O_RDWR | O_CLOEXEC)
        descriptor = found < 0 && errno == ENOENT ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640) : found
        guard descriptor >= 0 else { throw .log(.file(.init(last: "open", path))) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            let holder = Self.holder(descriptor)
            close(descriptor)
            guard code == EWOULDBLOCK else { throw .log(.file(.init(operation: "flock", path: path, code: code))) }
            throw .locked(path: directory, holder: holder)
        }
        note(getpid())
    }

    /// Writes down who holds the lock. It is a courtesy, which a full disk may refuse: the lock is held all the same.
    private func note(_ holder: pid_t) {
        let text = Array("\(holder)\n".utf8)
        guard pwrite(descriptor, text, text.count, 0) == text.count else { return }
        ftruncate(descriptor, off_t(text.count))
    }

    deinit {
        release()
    }

    /// Gives the lock back. Can be called again.
    func release() {
        if isHeld.exchange(false, ordering: .relaxed) { close(descriptor) }
    }

    /// Who holds the lock, as far as the file tells.
    private static func holder(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = max(0, pread(descriptor, &bytes, bytes.count, 0))
        let digits = bytes[..<count].prefix { $0 >= 0x30 && $0 <= 0x39 }
        guard !digits.isEmpty else { return "another process" }
        return "process \(String(decoding: digits, as: UTF8.self))"
    }
}
