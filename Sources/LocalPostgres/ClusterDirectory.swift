import Glibc

/// The directory of a cluster: its nodes' data, logs and secrets. It belongs to the user that PostgreSQL runs as.
struct ClusterDirectory: Hashable, Sendable {
    let path: String

    /// Temporary clusters of tests have this before the process id and a random number.
    private static let temporaryPrefix = "forebay-postgres-"
    private static let temporaryRoot = "/tmp"

    /// Makes the directory with mode 0700 for the user `postgres`, or for this process's own user if that is not root.
    func create() throws(LocalPostgresFault) {
        guard mkdir(path, 0o700) == 0 else { throw LocalPostgresFault("\(path): \(String(cString: strerror(errno)))") }
        try give(path)
    }

    /// Hands a file over to the user that PostgreSQL runs as.
    func give(_ file: String) throws(LocalPostgresFault) {
        guard let user = Subprocess.forPostgres.user else { return }
        guard let entry = getpwnam(user) else {
            throw LocalPostgresFault("there is no user \(user), which PostgreSQL has to run as when root starts it")
        }
        guard chown(file, entry.pointee.pw_uid, entry.pointee.pw_gid) == 0 else {
            throw LocalPostgresFault("\(file): \(String(cString: strerror(errno)))")
        }
    }

    func remove() throws(LocalPostgresFault) {
        // `rm` because a directory tree of PostgreSQL's is deep, and is not all readable until its owner looks.
        try Subprocess(user: nil).require("/bin/rm", ["-rf", "--", path])
    }

    /// Every server whose data lies in this directory, whoever started it, is killed.
    func killServers() {
        for name in names(in: path) {
            guard let line = TextFile.read("\(path)/\(name)/postmaster.pid")?.split(separator: "\n").first,
                let process = Int32(line), ProcessTable.workingDirectory(of: process) == "\(path)/\(name)"
            else { continue }
            kill(process, SIGKILL)
            let children = ProcessTable.children(of: process)
            for child in children {
                kill(child, SIGKILL)
            }
            while ([process] + children).contains(where: ProcessTable.runs) {
                usleep(5000)
            }
        }
    }

    // MARK: Temporary directories

    /// A new directory for this process's use, with the lock that says that the process lives.
    static func temporary() throws(LocalPostgresFault) -> (directory: ClusterDirectory, lock: DirectoryLock) {
        removeLeftovers()
        for _ in 0..<5 {
            let directory = ClusterDirectory(
                path: "\(temporaryRoot)/\(temporaryPrefix)\(getpid())-\(UInt32.random(in: 0 ... .max))"
            )
            // Another process that looks for leftovers may come between the making of the file and the lock: then the next name.
            if let lock = DirectoryLock(directory.path + ".lock") {
                try directory.create()
                return (directory, lock)
            }
        }
        throw LocalPostgresFault("no directory could be locked in \(temporaryRoot)")
    }

    /// Ends what processes have left behind that were killed before they could clean up. The kernel gave their locks back.
    private static func removeLeftovers() {
        for name in names(in: temporaryRoot) where name.hasPrefix(temporaryPrefix) && name.hasSuffix(".lock") {
            let lockPath = "\(temporaryRoot)/\(name)"
            guard let lock = DirectoryLock(lockPath) else { continue }
            let directory = ClusterDirectory(path: String(lockPath.dropLast(5)))
            directory.killServers()
            try? directory.remove()
            lock.remove()
        }
    }
}

/// A lock file that this process holds until it ends, however it ends.
final class DirectoryLock: Sendable {
    private let path: String
    private let descriptor: Int32

    /// Nil if another process holds the lock.
    init?(_ path: String) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            return nil
        }
        self.path = path
        self.descriptor = descriptor
    }

    /// Deletes the file; the lock goes with the object.
    func remove() {
        unlink(path)
    }

    deinit {
        close(descriptor)
    }
}
