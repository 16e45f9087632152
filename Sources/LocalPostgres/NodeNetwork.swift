import Glibc

/// A network namespace for each node of a cluster, so that the link between two of them can be cut: packets vanish, and nobody is told.
///
/// Each namespace has a cable to a bridge in this process's own, which must be another one than the machine's: see ``moveProcess()``.
/// A link is cut at both of its ends by a routing rule that drops what comes from the other one. Sockets stay as they are, and TCP sends
/// again what was lost once the link is whole. No namespace has a name: all of them end with this process and the servers in them.
///
/// Needs Linux, root and iproute2.
final class NodeNetwork: Sendable {
    /// By the node's number; held open, since that is what keeps a namespace in being.
    private let namespaces: [Int32]

    private static let marker = "LOCAL_POSTGRES_NETWORK"
    private static let network = "10.77.0"
    /// Of this process, for the nodes.
    private static let ownAddress = "\(network).1"
    /// Rules below this number are cuts; above it come those that a namespace begins with.
    private static let rulesOfOrdinaryRouting = 1000

    /// For `pg_hba.conf`.
    static let range = "\(network).0/24"

    static func address(of node: Int) -> String { "\(network).\(node + 2)" }

    /// Replaces this process by itself in a network namespace of its own, with nothing but loopback; returns there at once. To be called
    /// before anything else is done.
    static func moveProcess() throws(LocalPostgresFault) {
        if getenv(marker) != nil {
            try ip("link", "set", "lo", "up")
            return
        }
        guard geteuid() == 0 else {
            throw LocalPostgresFault("links can be cut by root only: network namespaces have to be made")
        }
        let result = try Subprocess(user: nil).run("/usr/bin/env", ["unshare", "--net", "ip", "link"])
        guard result.status == 0 else {
            throw LocalPostgresFault(
                "no network namespace can be made here, or iproute2 or util-linux is not installed: \(result.errors)"
            )
        }
        guard let program = realpath("/proc/self/exe", nil) else {
            throw LocalPostgresFault("/proc/self/exe: \(String(cString: strerror(errno)))")
        }
        setenv(marker, "1", 1)
        let command = ["unshare", "--net", "--", String(cString: program)] + CommandLine.arguments.dropFirst()
        var arguments = command.map { strdup($0) } + [nil]
        execvp("unshare", &arguments)
        throw LocalPostgresFault("unshare: \(String(cString: strerror(errno)))")
    }

    init(nodes: Int) throws(LocalPostgresFault) {
        guard getenv(Self.marker) != nil else {
            throw LocalPostgresFault("nodes with a network of their own need a process that has one: moveProcess")
        }
        var namespaces: [Int32] = []
        for node in 0..<nodes {
            let name = "forebay-\(getpid())-\(node)"
            try Self.ip("netns", "add", name)
            namespaces.append(open("/run/netns/\(name)", O_RDONLY | O_CLOEXEC))
            try Self.ip("netns", "delete", name)
            guard namespaces[node] >= 0 else { throw LocalPostgresFault("the namespace \(name) can't be opened") }
        }
        self.namespaces = namespaces
        try Self.ip("link", "add", "bridge", "type", "bridge")
        try Self.ip("address", "add", "\(Self.ownAddress)/24", "dev", "bridge")
        try Self.ip("link", "set", "bridge", "up")
        try Self.makeRoomForRules(nil)
        for node in 0..<nodes {
            let namespace = namespace(of: node)
            try Self.ip("link", "add", "node-\(node)", "type", "veth", "peer", "name", "cable")
            try Self.ip("link", "set", "cable", "netns", namespace)
            try Self.ip("link", "set", "node-\(node)", "master", "bridge", "up")
            try Self.ip(in: namespace, "link", "set", "lo", "up")
            try Self.ip(in: namespace, "address", "add", "\(Self.address(of: node))/24", "dev", "cable")
            try Self.ip(in: namespace, "link", "set", "cable", "up")
            try Self.makeRoomForRules(namespace)
        }
    }

    deinit {
        for namespace in namespaces { close(namespace) }
    }

    /// A path by which other programs find the node's namespace.
    func namespace(of node: Int) -> String { "/proc/\(getpid())/fd/\(namespaces[node])" }

    /// Lets nothing through between two nodes; nil stands for this process and its children.
    func cut(_ first: Int, _ second: Int?) throws(LocalPostgresFault) {
        try drop(at: first, from: second)
        try drop(at: second, from: first)
    }

    /// Makes all links whole.
    func heal() throws(LocalPostgresFault) {
        for node in [nil] + namespaces.indices.map({ Optional($0) }) {
            let namespace = node.map { self.namespace(of: $0) }
            let rules = try Self.ip(in: namespace, "rule", "list").split(separator: "\n")
            for number in rules.compactMap({ $0.split(separator: ":").first.flatMap { Int($0) } })
            where number < Self.rulesOfOrdinaryRouting {
                try Self.ip(in: namespace, "rule", "delete", "pref", "\(number)")
            }
        }
    }

    private func drop(at target: Int?, from source: Int?) throws(LocalPostgresFault) {
        try Self.ip(
            in: target.map { namespace(of: $0) },
            "rule",
            "add",
            "pref",
            "\((source ?? -1) + 2)",
            "from",
            source.map { Self.address(of: $0) } ?? Self.ownAddress,
            "blackhole"
        )
    }

    /// The rule by which a namespace knows its own addresses stands before all others; it goes behind those that cut.
    private static func makeRoomForRules(_ namespace: String?) throws(LocalPostgresFault) {
        try ip(in: namespace, "rule", "add", "pref", "\(rulesOfOrdinaryRouting)", "lookup", "local")
        try ip(in: namespace, "rule", "delete", "pref", "0")
    }

    @discardableResult
    private static func ip(in namespace: String? = nil, _ arguments: String...) throws(LocalPostgresFault) -> String {
        let result = try Subprocess(user: nil, namespace: namespace).run("/usr/bin/env", ["ip"] + arguments)
        guard result.status == 0 else {
            throw LocalPostgresFault("ip \(arguments.joined(separator: " ")): \(result.errors)")
        }
        return result.output
    }
}
