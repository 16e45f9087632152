import Glibc

/// How many files, sockets among them, the process may have open (getrlimit(2), RLIMIT_NOFILE).
enum OpenFiles {
    /// Raises the limit to what the process may raise it to, and returns what it is then. Where programs still use select(2) the lower one is the
    /// custom; here it would leave a queue without files once enough agents are connected.
    static func raiseLimit() -> Int {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0 else { return 1024 }
        var raised = limit
        raised.rlim_cur = limit.rlim_max
        if setrlimit(resource, &raised) == 0 { limit = raised }
        return Int(clamping: limit.rlim_cur)
    }
}

extension ForebayConfiguration {
    /// Files besides the connections of clients and those to nodes for reading: segments and their like, lanes' connections, listeners.
    private static let otherFiles = 256

    /// Lowers the numbers of connections so that all of them can be open at once, and the queue's files with them.
    ///
    /// - Returns: what to tell the operator; nil if there was no need.
    mutating func fit(openFiles limit: Int) -> String? {
        let others = Self.otherFiles + (read.listen.isEmpty ? 0 : read.poolSize * nodeAddresses.count)
        let wanted = ingest.maxConnections + read.maxConnections
        let room = max(2, limit - others)
        guard wanted > room else { return nil }
        let before = (ingest.maxConnections, read.maxConnections)
        ingest.maxConnections = max(1, before.0 * room / wanted)
        read.maxConnections = max(1, before.1 * room / wanted)
        return """
            the limit on open files is \(limit): ingest.max_connections is \(ingest.maxConnections), not \(before.0), and \
            read.max_connections is \(read.maxConnections), not \(before.1), so that the queue can always open its own; \
            raise the limit to \(wanted + others) (LimitNOFILE= of systemd, ulimit -Hn)
            """
    }
}
