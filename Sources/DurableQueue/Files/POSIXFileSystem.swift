import Glibc
package import Instruments
package import SegmentedLog

/// The file system of the machine.
package struct POSIXFileSystem: FileSystem {
    /// Microseconds that each `fdatasync` took; nil if nobody asks.
    private let syncLatency: Histogram?

    package init(syncLatency: Histogram? = nil) {
        self.syncLatency = syncLatency
    }

    package func createDirectory(_ path: String) throws(FileFault) {
        guard mkdir(path, 0o750) == 0 || errno == EEXIST else { throw FileFault(last: "mkdir", path) }
        do throws(FileFault) {
            try syncDirectory(Self.parent(of: path))
        } catch {
            // A parent that may not be opened is an operator's, and so is what stands in it.
            if error.code != EACCES { throw error }
        }
    }

    private static func parent(of path: String) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        let root = path.hasPrefix("/") ? "/" : parts.count > 1 ? "" : "."
        return root + parts.dropLast().joined(separator: "/")
    }

    package func list(_ path: String) throws(FileFault) -> [String] {
        guard let directory = opendir(path) else { throw FileFault(last: "opendir", path) }
        defer { closedir(directory) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else {
                guard errno == 0 else { throw FileFault(last: "readdir", path) }
                return names
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
    }

    package func open(_ path: String, _ mode: OpenMode) throws(FileFault) -> any File {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .create: O_RDWR | O_CREAT | O_EXCL
            }
        let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw FileFault(last: "open", path) }
        if mode == .readWrite {
            // A segment is opened this way once, to recover its tail. Pages that the kernel holds as clean may be ones that it failed
            // to write: what is read from here on comes from the disk.
            posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        }
        return POSIXFile(descriptor: descriptor, path: path, syncLatency: syncLatency)
    }

    package func rename(_ path: String, to newPath: String) throws(FileFault) {
        guard Glibc.rename(path, newPath) == 0 else { throw FileFault(last: "rename", path) }
    }

    /// Removes a file, or an empty directory.
    package func remove(_ path: String) throws(FileFault) {
        guard Glibc.remove(path) == 0 else { throw FileFault(last: "remove", path) }
    }

    package func syncDirectory(_ path: String) throws(FileFault) {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileFault(last: "open", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileFault(last: "fsync", path) }
    }

    package func availableBytes(at path: String) throws(FileFault) -> Int {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw FileFault(last: "statvfs", path) }
        return Int(
            clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue
        )
    }
}

extension FileFault {
    /// The fault that `errno` tells of.
    init(last operation: String, _ path: String) {
        self.init(operation: operation, path: path, code: errno)
    }

    init(operation: String, path: String, code: Int32) {
        self.init(operation: operation, path: path, code: code, message: String(cString: strerror(code)))
    }
}
