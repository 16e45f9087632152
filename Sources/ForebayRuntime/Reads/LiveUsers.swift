import Logging
import ReadProxy
import ServiceLifecycle
import Synchronization

/// The users of the read port, and the reader's password, as the files have them now: looks at the files again and again, so that a user comes, goes or gets another
/// password without a restart. Who is logged in stays.
///
/// Asked by any thread, changed by `run()` alone.
final class LiveUsers: Service {
    private struct State {
        var users: ReadUsers
        var stamps: [SmallFile.Stamp?]
        /// Of the last failure, so that it is logged once.
        var complaint: String?
        var changed: @Sendable (ReadUsers, String?) -> Void = { _, _ in }
    }

    private let configuration: ForebayConfiguration
    private let interval: Duration
    private let logger: Logger
    private let state: Mutex<State>

    /// Reads the files. Blocks.
    init(
        _ configuration: ForebayConfiguration,
        interval: Duration = .seconds(2),
        logger: Logger
    ) throws(ConfigurationFault) {
        self.configuration = configuration
        self.interval = interval
        self.logger = logger
        // The stamps are taken first: a change between the two is then seen as one.
        let stamps = Self.stamps(configuration)
        state = Mutex(State(users: try configuration.readUsers(), stamps: stamps))
    }

    var current: ReadUsers { state.withLock(\.users) }

    /// From now on, whoever wants to know is told of each change: the users, and the password for the nodes.
    func show(_ changed: @escaping @Sendable (ReadUsers, String?) -> Void) {
        state.withLock { $0.changed = changed }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                look()
                try? await Task.sleep(for: interval)
            }
        }
    }

    /// Takes up the files if one has changed; keeps what there is if they can't be read.
    func look() {
        let stamps = Self.stamps(configuration)
        guard stamps != state.withLock(\.stamps) else { return }
        do {
            let users = try configuration.readUsers()
            let password = try configuration.postgres.reader.resolvePassword()?.reveal()
            let changed = state.withLock { state in
                state.users = users
                state.stamps = stamps
                state.complaint = nil
                return state.changed
            }
            changed(users, password)
            logger.info("The users of the read port were read anew.", metadata: ["users": "\(users.count)"])
        } catch {
            let isNew = state.withLock { state in
                defer { state.complaint = "\(error)" }
                return state.complaint != "\(error)"
            }
            if isNew {
                logger.error(
                    "The users of the read port can't be read; those read before stay.",
                    metadata: ["fault": "\(error)"]
                )
            }
        }
    }

    private static func stamps(_ configuration: ForebayConfiguration) -> [SmallFile.Stamp?] {
        [configuration.read.usersFile, configuration.postgres.reader.passwordFile].map { path in
            path.flatMap { SmallFile.stamp($0) }
        }
    }
}
