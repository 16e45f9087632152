import Dispatch
import Foundation
import Glibc
import Synchronization

/// SIGINT and SIGTERM end the process in order: every child is ended and the clusters are removed, as at any exit, and the yards too.
enum Interruption {
    /// Signals are heard as long as these live. Written once, before anything else runs.
    nonisolated(unsafe) private static var sources: [any DispatchSourceSignal] = []

    private static let yards = Mutex<[String]>([])

    /// Has a directory removed by a signal.
    static func yard(_ directory: String) {
        yards.withLock { $0.append(directory) }
    }

    static func exitInOrder() {
        for number in [SIGINT, SIGTERM] {
            // Not ignored, which children would inherit.
            signal(number) { _ in }
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                atexit {
                    for yard in Interruption.yards.withLock({ $0 }) {
                        try? FileManager.default.removeItem(atPath: yard)
                    }
                }
                exit(128 + number)
            }
            source.activate()
            sources.append(source)
        }
    }
}
