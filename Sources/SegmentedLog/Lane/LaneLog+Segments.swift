import Records

extension LaneLog {
    /// Begins the segment that follows `end`, large enough for `need` bytes of blocks, and makes it lasting: file and directory are
    /// synced before the return.
    func beginSegment(need: Int, at now: WallTime) throws(LogFault) -> Active {
        let size = max(context.options.segmentBytes, SegmentHeader.byteCount + Sector.roundUp(need))
        let base = end.advanced(by: 1)
        let header = SegmentHeader(
            key: catalogue.key,
            sequence: nextSequence,
            base: base,
            born: now,
            mark: context.entropy.mark(),
            salt: SegmentHeader.Salt(high: context.entropy.word(), low: context.entropy.word()),
            keyID: context.keyRing.active
        )
        let cipher = try context.keyRing.cipher(for: header)
        let spare = try SegmentSupply(context: context, catalogue: catalogue).obtain(size)
        do throws(FileFault) {
            try DurableFile.write(header.encoded(), to: spare.file)
            try spare.file.sync()
            try quarantineDamaged(base)
            try context.fileSystem.rename(
                catalogue.path(spare.name),
                to: catalogue.path(LaneFiles.segment(base))
            )
            try context.fileSystem.syncDirectory(catalogue.directory)
        } catch {
            // The file may have either name, and either may survive a crash: both are harmless, since no row stands in it.
            SegmentSupply(context: context, catalogue: catalogue).discard(spare)
            throw .file(error)
        }
        nextSequence += 1
        let replaced = catalogue.begin(LaneCatalogue.Segment(base: base, bytes: spare.bytes))
        context.budget.release(replaced)
        let active = Active(
            file: spare.file,
            header: header,
            cipher: cipher,
            position: SegmentHeader.byteCount,
            fileBytes: spare.bytes,
            nextBlock: 0,
            keys: []
        )
        state = .writing(active)
        return active
    }

    /// A damaged segment with the same base (nothing in it could be read) is moved aside, not replaced.
    private func quarantineDamaged(_ base: Offset) throws(FileFault) {
        guard let last = catalogue.segments.last, last.base == base, last.hasDamage else { return }
        try LaneMaintenance.quarantine(base, of: catalogue, on: context.fileSystem, tag: context.entropy.word())
    }
}

/// Where segment files come from: spares of the lane, else new ones within the budget.
struct SegmentSupply {
    var context: LogContext
    var catalogue: LaneCatalogue

    struct Blank {
        var name: String
        var file: any File
        var bytes: Int
    }

    /// An open file of at least `size` bytes whose space is reserved on the disk; it has the name of a spare.
    func obtain(_ size: Int) throws(LogFault) -> Blank {
        if let spare = catalogue.takeSpare() {
            do throws(FileFault) {
                let file = try context.fileSystem.open(catalogue.path(spare.name), .readWrite)
                if spare.bytes >= size { return Blank(name: spare.name, file: file, bytes: spare.bytes) }
                if claim(size - spare.bytes) {
                    do throws(FileFault) {
                        try file.allocate(size)
                        return Blank(name: spare.name, file: file, bytes: size)
                    } catch {
                        context.budget.release(size - spare.bytes)
                        throw error
                    }
                }
            } catch {
                catalogue.addSpare(spare)
                throw error.isOutOfSpace ? .full : .file(error)
            }
            catalogue.addSpare(spare)
            throw .full
        }
        return try make(size)
    }

    /// A new file. On failure nothing of it is left, as far as the disk allows.
    func make(_ size: Int) throws(LogFault) -> Blank {
        guard claim(size) else { throw .full }
        let name = catalogue.spareName()
        let path = catalogue.path(name)
        do throws(FileFault) {
            let file = try context.fileSystem.open(path, .create)
            try file.allocate(size)
            return Blank(name: name, file: file, bytes: size)
        } catch {
            context.budget.release(size)
            do throws(FileFault) { try context.fileSystem.remove(path) } catch {}
            throw error.isOutOfSpace ? .full : .file(error)
        }
    }

    /// Removes a file that was of no use, if it still has the name of a spare, so that attempts on a bad disk do not fill it.
    func discard(_ blank: Blank) {
        do throws(FileFault) {
            try context.fileSystem.remove(catalogue.path(blank.name))
            context.budget.release(blank.bytes)
        } catch {
            // It has its new name already, or can't be removed: its bytes stay counted until the next start counts anew.
        }
    }

    /// Claims room in the budget, and looks whether the file system has it beside the reserve.
    private func claim(_ bytes: Int) -> Bool {
        let available: Int
        do throws(FileFault) {
            available = try context.fileSystem.availableBytes(at: catalogue.directory)
        } catch {
            return false
        }
        guard available - bytes >= context.budget.reserve else { return false }
        return context.budget.claim(bytes)
    }
}
