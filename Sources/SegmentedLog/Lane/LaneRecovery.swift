package import Records

/// Opens a lane: lists its files, reads the last segment, settles how it ends. The backlog is not read.
package struct LaneRecovery {
    /// What was found.
    package struct Report: Sendable {
        package var key: LaneKey
        /// The durable end.
        package var end: Offset
        package var verdict = TailRecovery.Verdict.clean
        /// Rows of the table that decided.
        package var labels: [String] = []
        /// Bytes of an unfinished group commit that were cut off.
        package var cutBytes = 0
        package var undoneBlocks = 0
        package var lost: [ClosedRange<Offset>] = []
        package var hints = LaneHints()
        /// Files that are not the queue's, and other things to tell the operator.
        package var notes: [String] = []
    }

    package struct Opened {
        package var log: LaneLog
        package var report: Report
        /// Bytes of the lane's files.
        package var bytes: Int
    }

    private var key: LaneKey
    private var directory: String
    private var context: LogContext
    private var report: Report
    private var bytes = 0

    /// Opens the lane in `directory`, making the directory if it is not there.
    ///
    /// The tail is synced before the return, so that nothing is served that a power cut could take away again.
    package static func open(
        _ key: LaneKey,
        in directory: String,
        context: LogContext
    ) throws(LogFault) -> Opened {
        var recovery = LaneRecovery(
            key: key,
            directory: directory,
            context: context,
            report: Report(key: key, end: .none)
        )
        do throws(FileFault) {
            try context.fileSystem.createDirectory(directory)
        } catch {
            throw .file(error)
        }
        return try recovery.run()
    }

    private mutating func run() throws(LogFault) -> Opened {
        report.hints = LaneHints.read(directory, on: context.fileSystem)
        var (segments, spares) = try inventory()
        if segments.isEmpty {
            do throws(FileFault) {
                report.hints = try LaneHints.readLasting(directory, on: context.fileSystem)
            } catch {
                throw .file(error)
            }
        }
        var sequence: UInt64 = 1
        var sealed: LaneCatalogue.SealedKeys?
        var endByte = SegmentHeader.byteCount
        report.end = report.hints.durable
        if let last = segments.last {
            let tail = try openTail(last)
            report.end = tail.scan.end
            report.verdict = tail.scan.verdict
            report.labels = tail.scan.labels
            report.lost = tail.scan.lost
            report.undoneBlocks = tail.scan.undoneBlocks
            endByte = tail.scan.endByte
            sequence = tail.sequence + 1
            let index = segments.count - 1
            segments[index].hasDamage = tail.scan.verdict == .corrupt
            bytes += tail.fileBytes - last.bytes
            segments[index].bytes = tail.fileBytes
            if report.end >= last.base {
                sealed = LaneCatalogue.SealedKeys(base: last.base, last: report.end, keys: tail.scan.keys)
            }
        }
        let catalogue = LaneCatalogue(
            key: key,
            directory: directory,
            state: LaneCatalogue.State(
                segments: segments,
                end: report.end,
                endByte: endByte,
                spares: spares.map { LaneCatalogue.Spare(name: LaneFiles.spare($0.number), bytes: $0.bytes) },
                nextSpare: spares.map(\.number).max() ?? 0
            )
        )
        if let sealed { catalogue.noteSealed(sealed) }
        let log = LaneLog(catalogue: catalogue, context: context, nextSequence: sequence)
        return Opened(log: log, report: report, bytes: bytes)
    }

    /// The lane's segments by base, and its spare files.
    private mutating func inventory() throws(LogFault) -> (
        segments: [LaneCatalogue.Segment], spares: [(number: Int, bytes: Int)]
    ) {
        var segments: [LaneCatalogue.Segment] = []
        var spares: [(number: Int, bytes: Int)] = []
        do throws(FileFault) {
            // A process before this one may have given names that it could not make lasting: what is believed here lasts from here on.
            try context.fileSystem.syncDirectory(directory)
            for name in try context.fileSystem.list(directory) {
                switch LaneFiles.kind(of: name) {
                case .segment(let base):
                    segments.append(LaneCatalogue.Segment(base: base, bytes: try size(name)))
                case .spare(let number):
                    spares.append((number, try size(name)))
                case .keys:
                    _ = try size(name)
                case .other:
                    if name != LaneFiles.watermarks, name != LaneFiles.quarantine, !name.hasSuffix(".new") {
                        report.notes.append("\(directory)/\(name) is not the queue's; it is left alone")
                    }
                }
            }
        } catch {
            throw .file(error)
        }
        segments.sort { $0.base < $1.base }
        return (segments, spares)
    }

    private mutating func size(_ name: String) throws(FileFault) -> Int {
        let size = try context.fileSystem.open("\(directory)/\(name)", .read).size()
        bytes += size
        return size
    }

    private struct Tail {
        var scan: TailScan
        var sequence: UInt64
        var fileBytes: Int
    }

    /// Scans the last segment, cuts a torn end off, and syncs what stays.
    private mutating func openTail(_ segment: LaneCatalogue.Segment) throws(LogFault) -> Tail {
        let path = "\(directory)/\(LaneFiles.segment(segment.base))"
        let file: any File
        let sector: [UInt8]
        do throws(FileFault) {
            file = try context.fileSystem.open(path, .readWrite)
            sector = try DurableFile.read(file, at: 0, count: SegmentHeader.byteCount)
        } catch {
            throw .file(error)
        }
        var header: SegmentHeader?
        do throws(SegmentHeader.Fault) {
            let found = try SegmentHeader.decode(sector)
            guard found.key == key, found.base == segment.base else {
                throw .field("it belongs to \(found.key) from \(found.base) on")
            }
            header = found
        } catch {
            // A newer version has been here: what it wrote is not damage, and not ours to judge.
            if case .version = error { throw .unreadable(path: path, reason: error.description) }
            report.notes.append("\(path): \(error)")
        }
        do throws(FileFault) {
            guard let header else { return try salvage(file, segment) }
            return try scan(file, segment, header)
        } catch {
            throw .file(error)
        }
    }

    private mutating func scan(
        _ file: any File,
        _ segment: LaneCatalogue.Segment,
        _ header: SegmentHeader
    ) throws(FileFault) -> Tail {
        let walk = SegmentWalk(file: file, header: header, cipher: nil, limit: segment.bytes)
        let scan = try TailScan.run(walk, durableHint: report.hints.durable)
        var fileBytes = segment.bytes
        if scan.verdict != .corrupt {
            report.cutBytes = scan.tornBytes
            try file.truncate(scan.endByte)
            fileBytes = scan.endByte
        }
        try file.sync()
        return Tail(scan: scan, sequence: header.sequence, fileBytes: fileBytes)
    }

    /// The last segment has no readable header: finds out which offsets it held, so that they are reported and not used again.
    private func salvage(_ file: any File, _ segment: LaneCatalogue.Segment) throws(FileFault) -> Tail {
        var last = Offset(segment.base.rawValue - 1)
        var sector = SegmentHeader.byteCount
        while sector + BlockHeader.byteCount <= segment.bytes {
            var position = sector
            while let block = try header(file, at: position, limit: segment.bytes), block.first >= segment.base {
                last = max(last, block.last)
                position = block.next(after: position)
            }
            sector = max(sector + Sector.byteCount, Sector.roundUp(position))
        }
        last = max(last, report.hints.durable)
        var scan = TailScan(end: last, endByte: segment.bytes)
        scan.verdict = .corrupt
        scan.labels = [
            TailRecovery.decide(
                TailRecovery.Evidence(headerIsReadable: false, ending: .boundary, runIsOpen: false, proof: .none)
            ).label
        ]
        if segment.base <= last { scan.lost = [segment.base...last] }
        return Tail(scan: scan, sequence: context.entropy.word() >> 1, fileBytes: segment.bytes)
    }

    /// A block header of this lane, whatever its mark.
    private func header(_ file: any File, at position: Int, limit: Int) throws(FileFault) -> BlockHeader? {
        guard position + BlockHeader.byteCount <= limit else { return nil }
        let bytes = try DurableFile.read(file, at: position, count: BlockHeader.byteCount)
        guard bytes.count == BlockHeader.byteCount else { return nil }
        let block = bytes.withUnsafeBytes { buffer -> BlockHeader? in
            guard let start = buffer.baseAddress else { return nil }
            do throws(BlockHeader.Fault) { return try BlockHeader.decode(start) } catch { return nil }
        }
        guard let block, block.key == key else { return nil }
        return block
    }
}
