import Glibc

/// A file, or standard output, written in large pieces. Owner: one task; `finish` must be called.
final class BufferedOutput {
    struct Fault: Error, CustomStringConvertible {
        var description: String
    }

    private let descriptor: Int32
    private let name: String
    private let isOwned: Bool
    private var buffer: [UInt8] = []

    /// Standard output.
    init() {
        descriptor = STDOUT_FILENO
        name = "standard output"
        isOwned = false
    }

    /// A new file; an existing one is not touched.
    init(creating path: String) throws(Fault) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw Fault(description: "\(path): \(String(cString: strerror(errno)))") }
        name = path
        isOwned = true
    }

    deinit {
        if isOwned { close(descriptor) }
    }

    /// Appends with `body`, then a line feed. If `body` throws, nothing is appended.
    func line(_ body: (inout [UInt8]) throws -> Void) throws {
        let before = buffer.count
        do {
            try body(&buffer)
        } catch {
            buffer.removeLast(buffer.count - before)
            throw error
        }
        buffer.append(UInt8(ascii: "\n"))
        if buffer.count >= 1 << 18 { try flush() }
    }

    /// Writes what is left; a file is synced.
    func finish() throws(Fault) {
        try flush()
        if isOwned, fsync(descriptor) != 0 { throw fault() }
    }

    private func flush() throws(Fault) {
        var done = 0
        while done < buffer.count {
            let count = buffer.withUnsafeBytes { bytes in
                bytes.baseAddress.map { write(descriptor, $0 + done, bytes.count - done) } ?? 0
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw fault()
            }
            done += count
        }
        buffer.removeAll(keepingCapacity: true)
    }

    private func fault() -> Fault {
        Fault(description: "\(name): \(String(cString: strerror(errno)))")
    }
}
