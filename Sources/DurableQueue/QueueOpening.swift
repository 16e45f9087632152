import Glibc
import Instruments
import Logging
import Records
import SegmentedLog

/// The threads of an open queue.
struct QueueThreads: Sendable {
    var lanes: [OwnedThread] = []
    var housekeeper: OwnedThread?
}

/// The steps from a directory to a running queue. Used once, by the opening thread.
struct QueueOpening {
    /// What an open queue is made of.
    struct Parts {
        var configuration: QueueConfiguration
        var metrics: QueueMetrics
        var directory: QueueDirectory
        var reports: [LaneRecovery.Report]
        var context: LogContext
        var log: Logger
        var roster: LaneRoster
        var writers: [LaneWriter]
        var pending: PendingBytes
        var keys: KeyWindow
        var housekeeper: Housekeeper
        var lock: DirectoryLock
        var threads: QueueThreads
    }

    private let configuration: QueueConfiguration
    private let directory: QueueDirectory
    private let metrics = QueueMetrics()
    private let fileSystem: any FileSystem
    private let log: Logger

    init(_ configuration: QueueConfiguration, log: Logger, files: (any FileSystem)?) throws(QueueFault) {
        let faults = configuration.validate()
        guard faults.isEmpty else { throw .configuration(faults.joined(separator: "; ")) }
        self.configuration = configuration
        self.log = log
        directory = QueueDirectory(configuration.path)
        fileSystem = files ?? POSIXFileSystem(syncLatency: metrics.syncLatency)
    }

    func open() throws(QueueFault) -> DurableQueue {
        let lock: DirectoryLock
        let id: QueueID
        let context: LogContext
        do throws(FileFault) {
            try fileSystem.createDirectory(directory.path)
        } catch {
            throw .log(.file(error))
        }
        lock = try DirectoryLock(directory.path)
        do throws(FileFault) { try directory.create(on: fileSystem) } catch { throw .log(.file(error)) }
        try refuseIfAdopted()
        id = try identity()
        try moveAdoptedLanes()
        do throws(FileFault) { context = try makeContext() } catch { throw .log(.file(error)) }

        let housekeeper = Housekeeper()
        var found = try lanes(of: id, context)
        let keys = KeyWindow(try restoreKeys(found, context), metrics: metrics)
        let pending = PendingBytes(limit: configuration.maxPendingBytes, gauge: metrics.pendingBytes)
        let surroundings = LaneWriter.Surroundings(
            metrics: metrics,
            pending: pending,
            keys: keys,
            sync: configuration.sync,
            log: log,
            needsCare: { housekeeper.nudge() }
        )
        let roster = LaneRoster(id: id, active: found.active.map(\.lane), draining: found.draining.map(\.lane))
        let writers = found.active.enumerated().map { index, opened in
            LaneWriter(number: LaneID(UInt16(index)), lane: opened.lane, surroundings: surroundings)
        }
        let threads = try startThreads(writers, &found.active, housekeeper)
        return DurableQueue(
            parts: Parts(
                configuration: configuration,
                metrics: metrics,
                directory: directory,
                reports: (found.active + found.draining).map(\.report),
                context: context,
                log: log,
                roster: roster,
                writers: writers,
                pending: pending,
                keys: keys,
                housekeeper: housekeeper,
                lock: lock,
                threads: threads
            )
        )
    }

    private func identity() throws(QueueFault) -> QueueID {
        var generator = SystemRandomNumberGenerator()
        do throws(LogFault) {
            return try directory.settleIdentity(on: fileSystem, using: &generator)
        } catch {
            throw .log(error)
        }
    }

    private func refuseIfAdopted() throws(QueueFault) {
        let adopter: QueueID?
        do throws(LogFault) {
            adopter = try QueueAdoption.adopter(of: directory, on: fileSystem)
        } catch {
            throw .log(error)
        }
        if let adopter { throw .adopted(path: directory.path, by: "\(adopter)") }
    }

    /// An adoption that was ordered is carried out before anything is served: the keys and the letters that come with it have to be known.
    private func moveAdoptedLanes() throws(QueueFault) {
        let adoption: QueueAdoption?
        do throws(LogFault) {
            adoption = try QueueAdoption.pending(in: directory, on: fileSystem)
        } catch {
            throw .log(error)
        }
        guard let adoption else { return }
        do throws(LogFault) {
            let lanes = try adoption.moveLanes()
            log.notice(
                "the lanes of another queue directory are taken over",
                metadata: [
                    "from": "\(adoption.source.path)", "lanes": "\(lanes.map(\.description).joined(separator: " "))",
                ]
            )
        } catch {
            throw .adoption(
                "\(adoption.source.path) is being taken over, and can't be: \(error). Bring it back; where it is gone for good, "
                    + "remove \(directory.path)/ADOPTING, and what was still there is given up"
            )
        }
    }

    private func makeContext() throws(FileFault) -> LogContext {
        var faults: [String] = []
        let layouts = try LayoutCatalogue.open(directory.layouts, on: fileSystem, faults: &faults)
        for fault in faults { log.warning("left alone", metadata: ["file": "\(fault)"]) }
        // A budget that the file system can't hold is no budget: sizes are chosen by what there is.
        let share = try fileSystem.availableBytes(at: directory.path) + bytesInLanes()
        let limit = min(configuration.maxBytes, share)
        let standard = DiskBudget.standardReserve(limit: limit)
        let reserve =
            configuration.maxBytes > share
            ? min(configuration.reserve ?? standard, standard) : configuration.reserve ?? standard
        let segmentBytes = DiskBudget.segmentBytes(
            largest: configuration.segmentBytes,
            limit: limit,
            reserve: reserve,
            lanes: configuration.lanes
        )
        return LogContext(
            fileSystem: fileSystem,
            options: LogOptions(segmentBytes: segmentBytes, sync: configuration.sync),
            budget: DiskBudget(limit: configuration.maxBytes, reserve: reserve),
            layouts: layouts,
            keyRing: configuration.keyRing,
            entropy: Entropy(SystemRandomNumberGenerator())
        )
    }

    /// Bytes of all files in the lanes' directories.
    private func bytesInLanes() throws(FileFault) -> Int {
        var bytes = 0
        for key in try directory.laneKeys(on: fileSystem) {
            for name in try fileSystem.list(directory.lane(key)) {
                bytes += try fileSystem.open("\(directory.lane(key))/\(name)", .read).size()
            }
        }
        return bytes
    }

    struct OpenedLane {
        var lane: Lane
        var log: LaneLog?
        var report: LaneRecovery.Report
    }

    struct Found {
        var active: [OpenedLane] = []
        var draining: [OpenedLane] = []
    }

    private func lanes(of id: QueueID, _ context: LogContext) throws(QueueFault) -> Found {
        var found = Found()
        let existing: [LaneKey]
        do throws(FileFault) {
            existing = try directory.laneKeys(on: fileSystem)
        } catch {
            throw .log(.file(error))
        }
        let active = (0..<configuration.lanes).map { LaneKey(queue: id, lane: LaneID(UInt16($0))) }
        for key in active { found.active.append(try Self.open(key, directory, context, log, isDraining: false)) }
        for key in existing where !active.contains(key) {
            found.draining.append(try Self.open(key, directory, context, log, isDraining: true))
        }
        do throws(FileFault) { try fileSystem.syncDirectory(directory.lanes) } catch { throw .log(.file(error)) }
        return found
    }

    /// Opens one lane, and tells the log what recovery found.
    static func open(
        _ key: LaneKey,
        _ directory: QueueDirectory,
        _ context: LogContext,
        _ log: Logger,
        isDraining: Bool
    ) throws(QueueFault) -> OpenedLane {
        let opened: LaneRecovery.Opened
        do throws(LogFault) {
            opened = try LaneRecovery.open(key, in: directory.lane(key), context: context)
        } catch {
            throw .log(error)
        }
        context.budget.add(opened.bytes)
        let report = opened.report
        for note in report.notes { log.warning("\(note)", metadata: ["lane": "\(key)"]) }
        switch report.verdict {
        case .clean:
            log.debug("lane opened", metadata: ["lane": "\(key)", "end": "\(report.end)"])
        case .torn:
            log.notice(
                "cut off an unfinished group commit; nothing of it had been acknowledged",
                metadata: [
                    "lane": "\(key)", "end": "\(report.end)", "bytes": "\(report.cutBytes)",
                    "undoneBlocks": "\(report.undoneBlocks)",
                ]
            )
        case .corrupt:
            log.critical(
                "acknowledged rows can't be read; the segment is kept, and will go to quarantine instead of being trimmed",
                metadata: [
                    "lane": "\(key)", "lost": "\(report.lost)", "end": "\(report.end)", "cases": "\(report.labels)",
                ]
            )
        }
        let lane = Lane(catalogue: opened.log.catalogue, hints: report.hints, isDraining: isDraining)
        return OpenedLane(lane: lane, log: isDraining ? nil : opened.log, report: report)
    }

    private func restoreKeys(_ found: Found, _ context: LogContext) throws(QueueFault) -> IdempotencyWindow {
        let settings = configuration.idempotency
        do throws(LogFault) {
            return try IdempotencyWindow.restored(
                from: (found.active + found.draining).map {
                    KeyHistory(context: context, catalogue: $0.lane.catalogue)
                },
                maxEntries: settings.maxEntries,
                window: settings.window,
                at: .now
            )
        } catch {
            throw .log(error)
        }
    }

    private func startThreads(
        _ writers: [LaneWriter],
        _ lanes: inout [OpenedLane],
        _ housekeeper: Housekeeper
    ) throws(QueueFault) -> QueueThreads {
        var threads = QueueThreads()
        do throws(QueueFault) {
            for (index, writer) in writers.enumerated() {
                guard let log = lanes[index].log else { continue }
                lanes[index].log = nil
                let start = LaneWriter.Start(log)
                threads.lanes.append(try OwnedThread(name: "lane-\(index)", pace: .urgent) { writer.run(start) })
            }
            threads.housekeeper = try OwnedThread(name: "queue-care") { housekeeper.run() }
        } catch {
            for writer in writers { writer.finish() }
            for thread in threads.lanes { thread.join() }
            throw error
        }
        return threads
    }
}
