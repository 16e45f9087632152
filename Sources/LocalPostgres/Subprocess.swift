import Glibc
import Synchronization

/// Runs programs and waits for them, without a shell.
struct Subprocess: Sendable {
    /// The user that the programs run as; nil for the one that this process runs as.
    var user: String?
    /// The network namespace that the programs run in; nil for this process's own.
    var namespace: String?

    /// PostgreSQL refuses to run as root, so root hands its programs to the user `postgres`.
    static let forPostgres = Subprocess(user: geteuid() == 0 ? "postgres" : nil)

    private static let spawning = Mutex(())

    struct Output: Sendable {
        var status: Int32
        var output: String
        var errors: String
    }

    /// Runs a program to its end and returns what it printed, with its exit status; 128 + n if signal n ended it.
    func run(
        _ program: String,
        _ arguments: [String],
        environment: [String: String] = [:]
    ) throws(LocalPostgresFault) -> Output {
        // The working directory may be closed to the other user.
        var command = ["/usr/bin/env", "-C", "/"]
        if let namespace {
            command += ["/usr/bin/nsenter", "--net=\(namespace)"]
        }
        if let user {
            command += ["/usr/bin/setpriv", "--reuid=\(user)", "--regid=\(user)", "--init-groups", "--"]
        }
        command += [program] + arguments
        let output = Pipe()
        let errors = Pipe()
        // One at a time: a server that is started meanwhile must not inherit these pipes' ends, or they would never be at an end.
        let process = try Self.spawning.withLock { _ throws(LocalPostgresFault) in
            try output.open()
            try errors.open()
            let process = try spawn(command, environment: environment, output: output.writing, errors: errors.writing)
            output.closeWriting()
            errors.closeWriting()
            return process
        }
        let texts = Self.readAll(output.reading, errors.reading)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        return Output(status: signal == 0 ? status >> 8 & 0xFF : 128 + signal, output: texts.0, errors: texts.1)
    }

    /// Runs a program that has to succeed, and returns what it printed.
    @discardableResult
    func require(
        _ program: String,
        _ arguments: [String],
        environment: [String: String] = [:]
    ) throws(LocalPostgresFault) -> String {
        let result = try run(program, arguments, environment: environment)
        guard result.status == 0 else {
            let name = program.split(separator: "/").last.map(String.init) ?? program
            throw LocalPostgresFault("\(name) ended with status \(result.status): \(result.errors)\(result.output)")
        }
        return result.output
    }

    private func spawn(
        _ command: [String],
        environment: [String: String],
        output: Int32,
        errors: Int32
    ) throws(LocalPostgresFault) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, errors, 2)
        // A server would keep whatever descriptors it inherits for its whole life, and hold this process's locks with them.
        for descriptor in names(in: "/proc/self/fd").compactMap({ Int32($0) }) where descriptor > 2 {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }

        var variables = ["PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"]
        variables.merge(environment) { $1 }
        let arguments = command.map { strdup($0) }
        let settings = variables.map { strdup("\($0)=\($1)") }
        defer { for text in arguments + settings { free(text) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, command[0], &actions, nil, arguments + [nil], settings + [nil])
        guard code == 0 else { throw LocalPostgresFault("\(command[0]): \(String(cString: strerror(code)))") }
        return process
    }

    /// Reads both descriptors to their ends, whichever has something to read.
    private static func readAll(_ first: Int32, _ second: Int32) -> (String, String) {
        var texts: [[UInt8]] = [[], []]
        var descriptors = [first, second].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        var buffer = [UInt8](repeating: 0, count: 65536)
        while descriptors.contains(where: { $0.fd >= 0 }) {
            if poll(&descriptors, 2, -1) < 0 { continue }
            for index in 0..<2 where descriptors[index].revents != 0 {
                let count = read(descriptors[index].fd, &buffer, buffer.count)
                if count > 0 {
                    texts[index] += buffer[..<count]
                } else if count == 0 || errno != EINTR {
                    descriptors[index].fd = -1
                }
            }
        }
        return (String(decoding: texts[0], as: UTF8.self), String(decoding: texts[1], as: UTF8.self))
    }
}

/// A pipe whose ends are closed when it is released.
private final class Pipe {
    private(set) var reading: Int32 = -1
    private(set) var writing: Int32 = -1

    func open() throws(LocalPostgresFault) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw LocalPostgresFault("pipe: \(String(cString: strerror(errno)))") }
        (reading, writing) = (ends[0], ends[1])
    }

    func closeWriting() {
        if writing >= 0 {
            close(writing)
            writing = -1
        }
    }

    deinit {
        closeWriting()
        if reading >= 0 {
            close(reading)
        }
    }
}
