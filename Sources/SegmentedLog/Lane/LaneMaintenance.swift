package import Records

/// The work on a lane that is not on the way of an event: spares, sidecars of keys, trimming, hints.
///
/// Owner: the housekeeping thread, beside the lane's writer; they meet in the ``LaneCatalogue``.
package struct LaneMaintenance: Sendable {
    package var context: LogContext
    package var catalogue: LaneCatalogue

    package init(context: LogContext, catalogue: LaneCatalogue) {
        self.context = context
        self.catalogue = catalogue
    }

    /// One look around the lane: writes the sidecars of what was sealed, removes those that have outlived the window, trims, and sees to a spare.
    package func look(_ round: Round, at now: WallTime) throws(LogFault) -> Trimmed {
        let history = KeyHistory(context: context, catalogue: catalogue)
        // On a full disk there is no room for sidecars before something has been trimmed.
        var fault: LogFault?
        do throws(LogFault) { _ = try history.writeSidecars() } catch { fault = error }
        let span = UInt32(clamping: max(0, round.window.components.seconds))
        try history.removeOrphans(olderThan: now.seconds > span ? now.seconds - span : 0)
        let trimmed = try trim(
            round.retention,
            replicated: round.replicated,
            held: round.held,
            keepsLast: !round.isDraining,
            isPressed: round.isPressed,
            before: catalogue.firstWithoutSidecar,
            at: now
        )
        if let fault { throw fault }
        if !round.isDraining { _ = try prepareSpare() }
        return trimmed
    }

    /// Writes the lane's hints.
    package func write(_ hints: LaneHints) throws(FileFault) {
        try hints.write(catalogue.directory, on: context.fileSystem, lasting: catalogue.segments.isEmpty)
    }

    /// Removes what is left of a drained lane, whose segments are gone, and the directory if nothing is left in it: sidecars of keys stay until the
    /// window has passed, a quarantine until an operator removes it.
    ///
    /// - Parameter keepsEnd: the lane may be used again, and its offsets must go on where they ended: its watermarks stay. They also do for as long as
    ///   anything else does, since a start that finds the directory would take the lane for one that ended at 0, before its ledger.
    package func removeRest(keepsEnd: Bool) throws(FileFault) {
        let fileSystem = context.fileSystem
        let directory = catalogue.directory
        var isEmpty = !keepsEnd
        var hasWatermarks = false
        for name in try fileSystem.list(directory) {
            switch LaneFiles.kind(of: name) {
            case .spare:
                let bytes = try fileSystem.open("\(directory)/\(name)", .read).size()
                try fileSystem.remove("\(directory)/\(name)")
                context.budget.release(bytes)
            case .other where name == LaneFiles.watermarks: hasWatermarks = true
            case .segment, .keys, .other:
                isEmpty = false
            }
        }
        guard isEmpty else { return }
        if hasWatermarks { try fileSystem.remove("\(directory)/\(LaneFiles.watermarks)") }
        try fileSystem.remove(directory)
    }

    /// Makes a segment file ahead of time, so that the writer's rotation finds one; false if there is one, or no ample room.
    ///
    /// A spare never takes the last room: as much must be left again. Its blocks are written once, with zeros: a write to a block that
    /// was only reserved changes the file's metadata, which every `fdatasync` then has to bring to the disk as well.
    package func prepareSpare() throws(LogFault) -> Bool {
        guard catalogue.spares.isEmpty, context.budget.hasRoom(for: 2 * context.options.segmentBytes) else {
            return false
        }
        let blank: SegmentSupply.Blank
        do throws(LogFault) {
            blank = try SegmentSupply(context: context, catalogue: catalogue).make(context.options.segmentBytes)
        } catch .full {
            return false
        }
        do throws(FileFault) {
            try fill(blank)
        } catch {
            SegmentSupply(context: context, catalogue: catalogue).discard(blank)
            throw .file(error)
        }
        catalogue.addSpare(LaneCatalogue.Spare(name: blank.name, bytes: blank.bytes))
        return true
    }

    /// Writes and syncs a file in small parts, so that the syncs of acknowledgements have little to wait for between them.
    private func fill(_ blank: SegmentSupply.Blank) throws(FileFault) {
        let part = 1 << 20
        let zeros = UnsafeMutableRawBufferPointer.allocate(byteCount: min(part, blank.bytes), alignment: 4096)
        defer { zeros.deallocate() }
        zeros.initializeMemory(as: UInt8.self, repeating: 0)
        var filled = 0
        repeat {
            let count = min(zeros.count, blank.bytes - filled)
            try blank.file.write(UnsafeRawBufferPointer(rebasing: zeros[..<count]), at: filled)
            try blank.file.sync()
            filled += count
        } while filled < blank.bytes
    }

    /// Moves a segment with damage to the lane's quarantine, where it stays until an operator removes it.
    static func quarantine(
        _ base: Offset,
        of catalogue: LaneCatalogue,
        on fileSystem: any FileSystem,
        tag: UInt64
    ) throws(FileFault) {
        let directory = catalogue.path(LaneFiles.quarantine)
        try fileSystem.createDirectory(directory)
        let name = LaneFiles.segment(base) + "." + String(tag, radix: 16)
        try fileSystem.rename(catalogue.path(LaneFiles.segment(base)), to: "\(directory)/\(name)")
        try fileSystem.syncDirectory(directory)
        try fileSystem.syncDirectory(catalogue.directory)
    }
}

extension LaneMaintenance {
    /// What a look around a lane goes by.
    package struct Round: Hashable, Sendable {
        package var retention: Retention
        /// How long idempotency keys are remembered.
        package var window: Duration
        /// What may be trimmed: committed, and on all required replicas, or given up for want of room.
        package var replicated: Offset
        /// What all required replicas hold. It alone may be written down.
        package var held: Offset
        /// Nobody writes to the lane any more.
        package var isDraining: Bool
        /// The budget is used up: age and bytes of the retention yield.
        package var isPressed: Bool

        package init(
            retention: Retention,
            window: Duration,
            replicated: Offset,
            held: Offset,
            isDraining: Bool,
            isPressed: Bool
        ) {
            self.retention = retention
            self.window = window
            self.replicated = replicated
            self.held = held
            self.isDraining = isDraining
            self.isPressed = isPressed
        }
    }

    /// What a trim did.
    package struct Trimmed: Hashable, Sendable {
        package var segments = 0
        package var recycled = 0
        package var quarantined = 0
    }

    /// Removes, recycles or quarantines the segments that `retention` lets go, oldest first, each lastingly before the next, so that a crash
    /// leaves no gap. Sidecars of keys stay.
    ///
    /// - Parameters:
    ///   - replicated: what may go.
    ///   - held: what all required replicas hold; nil for the same.
    ///   - limit: segments from this base on stay.
    package func trim(
        _ retention: Retention,
        replicated: Offset,
        held: Offset? = nil,
        keepsLast: Bool,
        isPressed: Bool,
        before limit: Offset? = nil,
        at now: WallTime
    ) throws(LogFault) -> Trimmed {
        let segments = noteCovered(replicated: replicated, keepsLast: keepsLast, at: now)
        let count = retention.trimmable(
            segments,
            end: catalogue.end,
            replicated: replicated,
            keepsLast: keepsLast,
            isPressed: isPressed,
            at: now
        )
        var done = Trimmed()
        do throws(FileFault) {
            while let leaving = catalogue.leaving.first {
                try remove(leaving, recycles: keepsLast, isPressed: isPressed, at: now, &done)
            }
            for segment in segments[..<count] where limit.map({ segment.base < $0 }) ?? true {
                if !keepsLast, segment.base == segments.last?.base {
                    try rememberEnd(committed: replicated, held: held ?? replicated, at: now)
                }
                catalogue.dismiss(segment.base)
                done.segments += 1
                try remove(segment, recycles: keepsLast, isPressed: isPressed, at: now, &done)
            }
        } catch {
            throw .file(error)
        }
        return done
    }

    /// Notes the time for segments that are seen to be replicated for the first time.
    private func noteCovered(replicated: Offset, keepsLast: Bool, at now: WallTime) -> [LaneCatalogue.Segment] {
        let segments = catalogue.segments
        let covered = Retention.covered(
            segments,
            end: catalogue.end,
            replicated: replicated,
            keepsLast: keepsLast
        )
        for (index, segment) in segments.enumerated() {
            if index < covered, segment.coveredAt == nil {
                catalogue.change(segment.base) { $0.coveredAt = now }
            } else if index >= covered, segment.coveredAt != nil {
                // The watermark went back (a failover): the time counts anew.
                catalogue.change(segment.base) { $0.coveredAt = nil }
            }
        }
        return catalogue.segments
    }

    /// The last segment's name keeps the offsets. Before it goes, the watermarks have to. What was given up is committed and not replicated: a crash may
    /// leave the segment where it is, and the next process must not take it for replicated.
    private func rememberEnd(committed: Offset, held: Offset, at now: WallTime) throws(FileFault) {
        let hints = LaneHints(
            durable: catalogue.end,
            marks: DeliveryMarks(committed: committed, replicated: held),
            written: now
        )
        try hints.write(catalogue.directory, on: context.fileSystem, lasting: true)
    }

    /// Removes the file of a segment that is off the list. After a throw it is on the list of those that are to go, ahead of all others: were one
    /// behind it removed first, a restart would find a gap.
    private func remove(
        _ segment: LaneCatalogue.Segment,
        recycles: Bool,
        isPressed: Bool,
        at now: WallTime,
        _ done: inout Trimmed
    ) throws(FileFault) {
        let path = catalogue.path(LaneFiles.segment(segment.base))
        try KeyHistory(context: context, catalogue: catalogue).outlive(segment, at: now)
        if segment.hasDamage {
            done.quarantined += 1
            try ifThere { () throws(FileFault) in
                try Self.quarantine(
                    segment.base,
                    of: catalogue,
                    on: context.fileSystem,
                    tag: context.entropy.word()
                )
            }
            return catalogue.forget(segment.base)
        }
        let spares = catalogue.spares.count
        let isUsable = segment.bytes == context.options.segmentBytes
        if recycles, isUsable, spares < (isPressed ? 1 : context.options.maximumSpares) {
            let name = catalogue.spareName()
            let isRenamed = try ifThere { () throws(FileFault) in
                try context.fileSystem.rename(path, to: catalogue.path(name))
            }
            try context.fileSystem.syncDirectory(catalogue.directory)
            if isRenamed {
                catalogue.addSpare(LaneCatalogue.Spare(name: name, bytes: segment.bytes))
                done.recycled += 1
            }
        } else {
            let isRemoved = try ifThere { () throws(FileFault) in try context.fileSystem.remove(path) }
            try context.fileSystem.syncDirectory(catalogue.directory)
            if isRemoved { context.budget.release(segment.bytes) }
        }
        catalogue.forget(segment.base)
    }

    /// An attempt before this one may have got as far as this, and no further. False if it had; then the file, should it be a spare now, is found, and
    /// its bytes are counted, by the next start.
    @discardableResult
    private func ifThere(_ body: () throws(FileFault) -> Void) throws(FileFault) -> Bool {
        do throws(FileFault) {
            try body()
            return true
        } catch {
            if error.isMissing { return false }
            throw error
        }
    }
}
