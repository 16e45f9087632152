import Synchronization

/// The log's source of random numbers: the system's generator in production, a seeded one under simulation. Any thread may ask.
package final class Entropy: Sendable {
    private let generator: Mutex<any RandomNumberGenerator & Sendable>

    package init(_ generator: sending some RandomNumberGenerator & Sendable) {
        self.generator = Mutex(generator)
    }

    package func word() -> UInt64 {
        generator.withLock { $0.next() }
    }

    /// A random number that is not 0.
    package func mark() -> UInt64 {
        while true {
            let word = word()
            if word != 0 { return word }
        }
    }
}
