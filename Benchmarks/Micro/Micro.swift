import Benchmark
import CChecksum
import DurableQueue
import IngestFormats
import Records

/// The steps of an event's way to the disk, one by one. Every figure is for the whole of what the name says: a request of 100
/// events, a block of 64 KiB, a group commit of 8 requests of 100. The names are names of files, too.
let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock],
        warmupIterations: 20,
        scalingFactor: .one,
        maxDuration: .seconds(2),
        maxIterations: 100_000,
        thresholds: [.wallClock: .init(relative: [.p90: 60])]
    )
    // README.md beside this folder tells how the tolerances were found.
    var disk = Benchmark.defaultConfiguration
    disk.thresholds = [.wallClock: .init(relative: [.p90: 150])]

    Benchmark("decode-json-100-events") { benchmark in
        let batch = RowBatch(layouts: Telemetry.plan, capacity: 1 << 16)
        let decoder = Telemetry.decoder
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            batch.removeAll()
            blackHole(decoder.decode(Telemetry.body, into: batch))
        }
    }

    Benchmark("encode-tuples-100-events") { benchmark in
        let batch = RowBatch(layouts: Telemetry.plan, capacity: 1 << 16)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            batch.removeAll()
            for _ in 0..<100 { Telemetry.encode(into: batch) }
        }
        blackHole(batch.byteCount)
    }

    Benchmark("lz4-compress-64-KiB") { benchmark in
        let raw = Telemetry.rows(of: 64 << 10)
        let block = Block(raw.count)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { blackHole(block.compress(raw)) }
    }

    Benchmark("lz4-decompress-64-KiB") { benchmark in
        let raw = Telemetry.rows(of: 64 << 10)
        let block = Block(raw.count)
        let length = block.compress(raw)
        var output = [UInt8](repeating: 0, count: raw.count)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { blackHole(block.decompress(length, into: &output)) }
    }

    Benchmark("crc32c-hardware-64-KiB") { benchmark in
        let raw = Telemetry.rows(of: 64 << 10)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { blackHole(forebay_crc32c(0, raw, raw.count)) }
    }

    Benchmark("crc32c-table-64-KiB") { benchmark in
        let raw = Telemetry.rows(of: 64 << 10)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { blackHole(forebay_crc32c_table(0, raw, raw.count)) }
    }

    Benchmark("append-to-memory-8x100-events") { benchmark in
        let lane = try LaneInUse(on: MemoryFileSystem(), below: "queue")
        let group = lane.group(requests: 8, rows: 100)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { try lane.append(group) }
    }

    Benchmark("commit-to-disk-8x100-events", configuration: disk) { benchmark in
        let directory = try TemporaryDirectory()
        let lane = try LaneInUse(on: POSIXFileSystem(), below: directory.path)
        let group = lane.group(requests: 8, rows: 100)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { try lane.append(group) }
        benchmark.stopMeasurement()
        directory.remove()
    }

    Benchmark("commit-to-disk-32x1-events", configuration: disk) { benchmark in
        let directory = try TemporaryDirectory()
        let lane = try LaneInUse(on: POSIXFileSystem(), below: directory.path)
        let group = lane.group(requests: 32, rows: 1)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { try lane.append(group) }
        benchmark.stopMeasurement()
        directory.remove()
    }
}
