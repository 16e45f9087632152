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
        /// Of the reader.
        var password: String?
        /// Of the files as they were when all of them could last be read.
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
        let password = try configuration.postgres.reader.resolvePassword()?.reveal()
        let users = try configuration.readUsers(readerPassword: password)
        state = Mutex(State(users: users, password: password, stamps: stamps))
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

    /// Takes up the files if one has changed. Of one that can't be read what was read before stays, and the other one counts all the same.
    func look() {
        let stamps = Self.stamps(configuration)
        var (seen, users, password) = state.withLock { ($0.stamps, $0.users, $0.password) }
        guard stamps != seen else { return }
        var faults: [ConfigurationFault] = []
        do throws(ConfigurationFault) {
            password = try configuration.postgres.reader.resolvePassword()?.reveal()
        } catch {
            faults.append(error)
        }
        do throws(ConfigurationFault) {
            users = try configuration.readUsers(readerPassword: password)
        } catch {
            faults.append(error)
        }
        let complaint = faults.isEmpty ? nil : faults.map(\.description).joined(separator: " ")
        let (changed, isNew) = state.withLock { state in
            let isNew = state.complaint != complaint
            state.users = users
            state.password = password
            state.complaint = complaint
            // Else it is tried again with the next look.
            if faults.isEmpty { state.stamps = stamps }
            return (state.changed, isNew)
        }
        changed(users, password)
        if faults.isEmpty {
            logger.info("The users of the read port were read anew.", metadata: ["users": "\(users.count)"])
        } else if isNew {
            logger.error(
                "The users of the read port, or the reader's password, can't be read; those read before stay.",
                metadata: ["fault": "\(complaint ?? "")"]
            )
        }
    }

    private static func stamps(_ configuration: ForebayConfiguration) -> [SmallFile.Stamp?] {
        [configuration.read.usersFile, configuration.postgres.reader.passwordFile].map { path in
            path.flatMap { SmallFile.stamp($0) }
        }
    }
}
