package import Logging
import ServiceLifecycle
import Synchronization

/// The tokens as the file has them now: looks at the file again and again, so that a token is made or withdrawn without a restart.
///
/// Asked by event loops, changed by `run()` alone.
package final class LiveTokens: Service {
    private struct State {
        var file: TokenFile
        var stamp: SmallFile.Stamp?
        /// Of the last failure, so that it is logged once.
        var complaint: String?
    }

    private let path: String
    private let interval: Duration
    private let logger: Logger
    private let state: Mutex<State>

    /// Reads the file. Blocks.
    ///
    /// - Throws: when it can't be read; a proxy that asks for tokens does not start without any.
    package init(path: String, interval: Duration = .seconds(2), logger: Logger) throws(TokenFile.Fault) {
        self.path = path
        self.interval = interval
        self.logger = logger
        // The stamp is taken first: a change between the two is then seen as one.
        let stamp = SmallFile.stamp(path)
        state = Mutex(State(file: try TokenFile.load(path), stamp: stamp))
    }

    /// The entry of a token; nil if there is none. May be called on an event loop.
    package func entry(ofToken token: some StringProtocol) -> TokenFile.Entry? {
        state.withLock(\.file).entry(ofToken: token)
    }

    /// Looks at the file until the service group shuts down.
    package func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                look()
                try? await Task.sleep(for: interval)
            }
        }
    }

    /// Takes up the file if it has changed; keeps the tokens that there are if it can't be read.
    func look() {
        let stamp = SmallFile.stamp(path)
        guard stamp == nil || stamp != state.withLock(\.stamp) else { return }
        do {
            let file = try TokenFile.load(path)
            state.withLock { $0 = State(file: file, stamp: stamp, complaint: nil) }
            logger.info("The file of tokens was read anew.", metadata: ["tokens": "\(file.entries.count)"])
        } catch {
            let isNew = state.withLock { state in
                defer { state.complaint = error.description }
                return state.complaint != error.description
            }
            if isNew {
                logger.error(
                    "The file of tokens can't be read; those read before stay.",
                    metadata: ["fault": "\(error)"]
                )
            }
        }
    }
}
