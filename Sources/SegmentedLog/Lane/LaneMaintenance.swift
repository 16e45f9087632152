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
    /// What a trim did.
    package struct Trimmed: Hashable, Sendable {
        package var segments = 0
        package var recycled = 0
        package var quarantined = 0
    }

    /// Removes, recycles or quarantines the segments that `retention` lets go, oldest first, each lastingly before the next, so that a crash
    /// leaves no gap. Sidecars of keys stay.
    package func trim(
        _ retention: Retention,
        replicated: Offset,
        keepsLast: Bool,
        isPressed: Bool,
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
            for segment in segments[..<count] {
                try trim(segment, recycles: keepsLast, isPressed: isPressed, at: now, &done)
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

    private func trim(
        _ segment: LaneCatalogue.Segment,
        recycles: Bool,
        isPressed: Bool,
        at now: WallTime,
        _ done: inout Trimmed
    ) throws(FileFault) {
        let path = catalogue.path(LaneFiles.segment(segment.base))
        catalogue.forget(segment.base)
        done.segments += 1
        try KeyHistory(context: context, catalogue: catalogue).outlive(segment, at: now)
        if segment.hasDamage {
            done.quarantined += 1
            try Self.quarantine(
                segment.base,
                of: catalogue,
                on: context.fileSystem,
                tag: context.entropy.word()
            )
            return
        }
        let spares = catalogue.spares.count
        let isUsable = segment.bytes == context.options.segmentBytes
        if recycles, isUsable, spares < (isPressed ? 1 : context.options.maximumSpares) {
            let name = catalogue.spareName()
            try context.fileSystem.rename(path, to: catalogue.path(name))
            try context.fileSystem.syncDirectory(catalogue.directory)
            catalogue.addSpare(LaneCatalogue.Spare(name: name, bytes: segment.bytes))
            done.recycled += 1
        } else {
            try context.fileSystem.remove(path)
            try context.fileSystem.syncDirectory(catalogue.directory)
            context.budget.release(segment.bytes)
        }
    }
}
