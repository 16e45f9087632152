import Records

/// The idempotency keys that a lane has on disk: read when the queue opens, written as segments are sealed.
///
/// Owner: the opening thread, then the housekeeping thread.
package struct KeyHistory: Sendable {
    package var context: LogContext
    package var catalogue: LaneCatalogue

    package init(context: LogContext, catalogue: LaneCatalogue) {
        self.context = context
        self.catalogue = catalogue
    }

    /// The keys of the lane that are not older than `oldest` (seconds since 1970), the newest segments' first, until `limit` is reached. Writes the
    /// sidecars that are missing, and removes those that nobody needs any more.
    package func load(notBefore oldest: UInt32, limit: Int) throws(LogFault) -> [KeyEntry] {
        var found: [KeyEntry] = catalogue.firstSealed()?.keys ?? []
        let tail = catalogue.segments.last?.base
        do throws(FileFault) {
            var sidecars: Set<Offset> = []
            for name in try context.fileSystem.list(catalogue.directory) {
                if case .keys(let base) = LaneFiles.kind(of: name) { sidecars.insert(base) }
            }
            let segments = catalogue.segments
            let bases = sidecars.union(segments.map(\.base)).sorted { $0 > $1 }
            for base in bases where base != tail {
                if found.count >= limit { break }
                let isTrimmed = !segments.contains { $0.base == base }
                found += try keys(of: base, hasSidecar: sidecars.contains(base), isTrimmed: isTrimmed, oldest)
            }
        } catch {
            throw .file(error)
        }
        return found.filter { $0.seconds >= oldest }
    }

    private func keys(
        of base: Offset,
        hasSidecar: Bool,
        isTrimmed: Bool,
        _ oldest: UInt32
    ) throws(FileFault) -> [KeyEntry] {
        let path = catalogue.path(LaneFiles.keys(base))
        if hasSidecar, let content = try DurableFile.read(path, on: context.fileSystem),
            let sidecar = KeySidecar.decode(content), sidecar.key == catalogue.key, sidecar.base == base
        {
            let newest = Self.newest(sidecar.entries)
            if !isTrimmed {
                catalogue.change(base) { $0.newestKey = newest }
            } else if newest < oldest {
                try removeSidecar(base)
            } else {
                catalogue.addOrphan(LaneCatalogue.Orphan(base: base, newestKey: newest))
            }
            return sidecar.entries
        }
        if isTrimmed { return [] }
        let sidecar = try rebuilt(base)
        do throws(FileFault) {
            try write(sidecar)
        } catch {
            // No reason not to start: a full disk would then never be drained. The housekeeper tries again.
            catalogue.noteSealed(
                LaneCatalogue.SealedKeys(base: base, last: sidecar.last, keys: sidecar.entries)
            )
        }
        return sidecar.entries
    }

    private static func newest(_ entries: [KeyEntry]) -> UInt32 {
        entries.reduce(0) { max($0, $1.seconds) }
    }

    private func removeSidecar(_ base: Offset) throws(FileFault) {
        let path = catalogue.path(LaneFiles.keys(base))
        let bytes = try context.fileSystem.open(path, .read).size()
        try context.fileSystem.remove(path)
        context.budget.release(bytes)
    }

    /// A segment is about to go: its sidecar stays as long as its keys are in the window, or goes too if it has none.
    func outlive(_ segment: LaneCatalogue.Segment, at now: WallTime) throws(FileFault) {
        guard segment.newestKey == 0 else {
            catalogue.addOrphan(
                LaneCatalogue.Orphan(base: segment.base, newestKey: segment.newestKey ?? now.seconds)
            )
            return
        }
        do throws(FileFault) {
            try removeSidecar(segment.base)
        } catch {
            if !error.isMissing { throw error }
        }
    }

    /// Removes the sidecars of trimmed segments whose newest key is older than `oldest`.
    package func removeOrphans(olderThan oldest: UInt32) throws(LogFault) {
        do throws(FileFault) {
            while let orphan = catalogue.takeOrphan(olderThan: oldest) { try removeSidecar(orphan.base) }
        } catch {
            if !error.isMissing { throw .file(error) }
        }
    }

    /// The keys of a segment, read from its blocks. What can't be read can't be known.
    private func rebuilt(_ base: Offset) throws(FileFault) -> KeySidecar {
        var sidecar = KeySidecar(
            key: catalogue.key,
            base: base,
            last: Offset(base.rawValue - 1),
            entries: []
        )
        guard case .segment(let segment, let last, let limit) = catalogue.locate(base), segment.base == base else {
            return sidecar
        }
        sidecar.last = last
        let file = try context.fileSystem.open(catalogue.path(LaneFiles.segment(base)), .read)
        let sector = try DurableFile.read(file, at: 0, count: SegmentHeader.byteCount)
        guard let header = try? SegmentHeader.decode(sector), header.key == catalogue.key, header.base == base
        else { return sidecar }
        let walk = SegmentWalk(file: file, header: header, cipher: nil, limit: limit)
        var position = SegmentHeader.byteCount
        var expected = base
        while expected <= last {
            if case .block(let block) = try walk.look(at: position), block.first == expected {
                if block.keysLength > 0, let body = try walk.body(of: block, at: position) {
                    sidecar.entries += walk.keys(of: block, in: body).filter { $0.last <= last }
                }
                position = block.next(after: position)
                expected = block.last.advanced(by: 1)
            } else if let later = try walk.resynchronize(after: position, from: expected) {
                position = later.position
                expected = later.block.first
            } else {
                break
            }
        }
        return sidecar
    }

    /// Writes the sidecars of the segments that were sealed since the last call; returns how many.
    package func writeSidecars() throws(LogFault) -> Int {
        var written = 0
        do throws(FileFault) {
            while let sealed = catalogue.firstSealed() {
                try write(
                    KeySidecar(key: catalogue.key, base: sealed.base, last: sealed.last, entries: sealed.keys)
                )
                catalogue.dropSealed(sealed.base)
                written += 1
            }
        } catch {
            throw .file(error)
        }
        return written
    }

    private func write(_ sidecar: KeySidecar) throws(FileFault) {
        let content = sidecar.encoded()
        let newest = Self.newest(sidecar.entries)
        catalogue.change(sidecar.base) { $0.newestKey = newest }
        if let old = try? context.fileSystem.open(catalogue.path(LaneFiles.keys(sidecar.base)), .read).size() {
            context.budget.release(old)
        }
        try DurableFile.replace(
            LaneFiles.keys(sidecar.base),
            in: catalogue.directory,
            with: content,
            on: context.fileSystem
        )
        context.budget.add(content.count)
    }
}
