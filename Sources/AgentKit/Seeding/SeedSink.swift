/// Where generated events go.
package protocol SeedSink: Sendable {
    /// How many batches may be written at once.
    var parallelism: Int { get }

    /// Takes a batch of NDJSON lines; returns when it has arrived. Called from several tasks at once, as `parallelism` says.
    ///
    /// - Parameter number: of the batch, counted from 0.
    /// - Returns: how many events arrived.
    func write(_ batch: LineBatch, number: Int) async throws -> Int

    /// After the last batch, also after a failure.
    func finish() async throws
}

/// Writes the lines to a descriptor, which stays the caller's.
package struct FileSeedSink: SeedSink {
    private let descriptor: Int32

    package init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    package var parallelism: Int { 1 }

    package func write(_ batch: LineBatch, number: Int) async throws -> Int {
        guard writeAll(batch.body, to: descriptor) else {
            throw SeedFault.cannotWrite
        }
        return batch.count
    }

    package func finish() async throws {}
}

/// Sends the batches to a proxy, each until it is acknowledged.
package struct APISeedSink: SeedSink {
    private let courier: Courier
    private let keyPrefix: String
    package let parallelism: Int

    package init(courier: Courier, keyPrefix: String, parallelism: Int) {
        self.courier = courier
        self.keyPrefix = keyPrefix
        self.parallelism = parallelism
    }

    package func write(_ batch: LineBatch, number: Int) async throws -> Int {
        let before = batch.count
        guard await courier.deliver(batch, key: "\(keyPrefix)-\(number)") == .settled else {
            throw SeedFault.notDelivered(courier.tally.snapshot.stopped ?? "the delivery was stopped")
        }
        return before
    }

    package func finish() async throws {}
}

package enum SeedFault: Error, Hashable, CustomStringConvertible {
    case cannotWrite
    case notDelivered(String)

    package var description: String {
        switch self {
        case .cannotWrite: "the output takes no more"
        case .notDelivered(let reason): reason
        }
    }
}
