import Dispatch
import Glibc
import Synchronization

/// SIGINT and SIGTERM end the process in order: every child is ended and the clusters are removed, as at any exit.
package enum Interruption {
    private struct State {
        var isInterrupted = false
        var endings: [@Sendable () -> Void] = []
    }

    /// Signals are heard as long as these live. Written once, before anything else runs.
    nonisolated(unsafe) private static var sources: [any DispatchSourceSignal] = []

    private static let state = Mutex(State())

    /// Has something done besides, after a signal only, when the children have ended.
    package static func also(_ ending: @escaping @Sendable () -> Void) {
        state.withLock { $0.endings.append(ending) }
    }

    /// To be called once, before anything is started.
    package static func exitInOrder() {
        // What is registered first is called last.
        atexit {
            let state = Interruption.state.withLock { $0 }
            if state.isInterrupted { for ending in state.endings { ending() } }
        }
        for number in [SIGINT, SIGTERM] {
            // Not ignored, which children would inherit.
            signal(number) { _ in }
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                state.withLock { $0.isInterrupted = true }
                exit(128 + number)
            }
            source.activate()
            sources.append(source)
        }
    }
}
