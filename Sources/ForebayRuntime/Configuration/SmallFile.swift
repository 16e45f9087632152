import Glibc

/// Files of the configuration: read whole, and never large.
enum SmallFile {
    struct Fault: Error, Hashable, Sendable {
        var path: String
        /// A clause, such as `No such file or directory`.
        var reason: String
    }

    /// A configuration, a password or a list of tokens is far smaller.
    static let most = 4 << 20

    static func read(_ path: String) throws(Fault) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw systemFault(path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        while bytes.count <= most {
            let chunk = 65_536
            var count = 0
            bytes.append(contentsOf: repeatElement(0, count: chunk))
            bytes.withUnsafeMutableBytes { buffer in
                repeat {
                    count = Glibc.read(descriptor, buffer.baseAddress! + (buffer.count - chunk), chunk)
                } while count < 0 && errno == EINTR
            }
            guard count >= 0 else { throw systemFault(path) }
            bytes.removeLast(chunk - count)
            if count == 0 { return bytes }
        }
        throw Fault(path: path, reason: "it is larger than \(ByteCount(most))")
    }

    static func readText(_ path: String) throws(Fault) -> String {
        guard let text = String(validating: try read(path), as: UTF8.self) else {
            throw Fault(path: path, reason: "it is not UTF-8")
        }
        return text
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The permission bits of a file.
    static func mode(_ path: String) throws(Fault) -> UInt32 {
        var status = stat()
        guard stat(path, &status) == 0 else { throw systemFault(path) }
        return status.st_mode & 0o7777
    }

    /// Changes when a file is replaced or written to.
    struct Stamp: Hashable, Sendable {
        var inode: UInt
        var size: Int
        var seconds: Int
        var nanoseconds: Int
    }

    /// nil if there is no such file.
    static func stamp(_ path: String) -> Stamp? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        // `timespec` is two machine words (stat(3type)); its members are out of reach where other C modules declare it as well.
        let modified = unsafeBitCast(status.st_mtim, to: (seconds: Int, nanoseconds: Int).self)
        return Stamp(
            inode: status.st_ino,
            size: status.st_size,
            seconds: modified.seconds,
            nanoseconds: modified.nanoseconds
        )
    }

    /// Puts `bytes` at `path` with mode 0600: written beside it, synced, and renamed, so that a reader sees the old or the new.
    static func replace(_ path: String, with bytes: [UInt8]) throws(Fault) {
        let temporary = "\(path).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw systemFault(temporary) }
        var failure: Fault?
        if fchmod(descriptor, 0o600) != 0 { failure = systemFault(temporary) }
        var written = 0
        while failure == nil, written < bytes.count {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, $0.count - written) }
            if count >= 0 { written += count } else if errno != EINTR { failure = systemFault(temporary) }
        }
        if failure == nil, fsync(descriptor) != 0 { failure = systemFault(temporary) }
        if close(descriptor) != 0, failure == nil { failure = systemFault(temporary) }
        if failure == nil, rename(temporary, path) != 0 { failure = systemFault(path) }
        if let failure {
            unlink(temporary)
            throw failure
        }
    }

    private static func systemFault(_ path: String) -> Fault {
        Fault(path: path, reason: String(cString: strerror(errno)))
    }
}
