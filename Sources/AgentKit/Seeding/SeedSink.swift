/// Generated events on their way to a sink.
package struct SeedBatch: Sendable {
    /// Counted from 0.
    package var number: Int
    /// The number of the first event in the run, counted from 1.
    package var first: Int
    package var requests: [APIRequest]
    /// Knows the events' endpoints, and renders them.
    package var catalog: ServiceCatalog

    /// As NDJSON, the run's events counted as lines.
    package var lines: LineBatch {
        var batch = LineBatch(lineNumbers: Array(first..<(first + requests.count)))
        batch.body.reserveCapacity(requests.count * 440)
        for request in requests {
            catalog.appendLine(request, to: &batch.body)
        }
        return batch
    }

    /// As tuples of COPY's binary format, back to back.
    package var tuples: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(requests.count * 340)
        for request in requests {
            catalog.appendTuple(request, to: &bytes)
        }
        return bytes
    }
}

/// Where generated events go.
package protocol SeedSink: Sendable {
    /// How many batches may be written at once.
    var parallelism: Int { get }

    /// Takes a batch; returns when it has arrived. Called from several tasks at once, as `parallelism` says.
    ///
    /// - Returns: how many events arrived.
    func write(_ batch: SeedBatch) async throws -> Int

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

    package func write(_ batch: SeedBatch) async throws -> Int {
        guard writeAll(batch.lines.body, to: descriptor) else {
            throw SeedFault.cannotWrite
        }
        return batch.requests.count
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

    package func write(_ batch: SeedBatch) async throws -> Int {
        guard await courier.deliver(batch.lines, key: "\(keyPrefix)-\(batch.number)") == .settled else {
            throw SeedFault.notDelivered(courier.tally.snapshot.stopped ?? "the delivery was stopped")
        }
        return batch.requests.count
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
