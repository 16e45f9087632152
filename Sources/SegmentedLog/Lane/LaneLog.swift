package import Records

/// The writing end of a lane: group commits, rotation, and what follows a failed write.
///
/// It knows no thread and no clock: every call blocks until the file system has answered. Owner: the lane's thread. What readers
/// and trimmers need to see is in the ``LaneCatalogue``.
package final class LaneLog {
    /// How a group commit ended.
    package enum Ending: Hashable, Sendable {
        /// The rows may be acknowledged.
        case durable
        /// There is no room for another segment; nothing was stored.
        case full
        /// A write or a sync failed. The rows do not stand in the log as it goes on; a crash right now may still leave them there.
        case failed(String)
    }

    package struct GroupResult: Sendable {
        /// How many requests the ending is about, counted from the first.
        package var taken: Int
        /// The offset of the first row; rows follow densely in the order of the requests.
        package var first: Offset
        /// Bytes written, padding included.
        package var bytes: Int
        package var ending: Ending
        /// Requests among those taken that can't be stored, by their index; they have no offsets.
        package var refused: [Int: String]
        /// The ending is a failure, and no new segment excludes the rows: until the lane can be written again, a crash may bring them back.
        package var isInDoubt = false

        /// Turns the ending into an outcome for each of the requests it is about; returns the rows that became durable.
        package func settle(
            _ requests: ArraySlice<AppendRequest>,
            of lane: LaneKey,
            _ report: (AppendRequest, AppendOutcome) -> Void
        ) -> Int {
            var last = Offset(first.rawValue - 1)
            for index in requests.indices {
                let request = requests[index]
                switch ending {
                case .durable:
                    if let reason = refused[index] {
                        report(request, .failed(reason: reason))
                        continue
                    }
                    let count = request.batch.rowCount
                    last = last.advanced(by: count)
                    report(request, .durable(last: lane.position(last), count: count, repeated: false))
                case .full: report(request, .full)
                case .failed(let reason): report(request, .failed(reason: reason))
                }
            }
            return Int(last.rawValue + 1 - first.rawValue)
        }
    }

    /// A lane is written to, or rests (no segment has been begun since the start or the last trouble), or nothing can be written.
    enum State {
        /// Next: `writing`, with the first append; `readOnly`, if that fails.
        case resting
        /// Next: `writing` in another segment, or `readOnly`.
        case writing(Active)
        /// No new segment could be begun. Next: `writing`, when an append later than `retryPause` finds that one can.
        case readOnly(reason: String, since: WallTime)
    }

    struct Active {
        var file: any File
        var header: SegmentHeader
        var cipher: SegmentCipher?
        /// Where the next group goes.
        var position: Int
        var fileBytes: Int
        var nextBlock: UInt32
        var keys: [KeyEntry]
    }

    /// How long a read-only lane waits before it tries again to begin a segment.
    package static let retryPause = Duration.seconds(5)

    package let catalogue: LaneCatalogue
    let context: LogContext
    private let encoder: GroupEncoder
    var state = State.resting
    /// The last offset that has been acknowledged.
    private(set) var end: Offset
    /// The last offset that has been synced; equals `end` unless the policy acknowledges earlier.
    private(set) var synced: Offset
    var nextSequence: UInt64
    private var lastFingerprint: Fingerprint?

    /// Made by ``LaneRecovery``.
    init(catalogue: LaneCatalogue, context: LogContext, nextSequence: UInt64) {
        self.catalogue = catalogue
        self.context = context
        self.nextSequence = nextSequence
        end = catalogue.end
        synced = catalogue.end
        encoder = GroupEncoder(blockBytes: context.options.blockBytes)
    }

    /// Why nothing can be written; nil if it can.
    package var readOnlyReason: String? {
        if case .readOnly(let reason, _) = state { return reason }
        return nil
    }

    /// Whether rows have been acknowledged that are not synced.
    package var needsSync: Bool { synced < end }

    /// Stores requests from `start` on in one group commit: as many as the group, or the segment, has room for, but at least one.
    ///
    /// One write and (with `sync: always`) one `fdatasync`, whatever the number of requests; two more syncs where a segment begins.
    package func append(_ requests: [AppendRequest], from start: Int, at now: WallTime) -> GroupResult {
        var result = GroupResult(
            taken: requests.count - start,
            first: end.advanced(by: 1),
            bytes: 0,
            ending: .durable,
            refused: [:]
        )
        if case .readOnly(let reason, let since) = state, now.since(since) < Self.retryPause, now >= since {
            result.ending = .failed(reason)
            return result
        }
        var active: Active
        do throws(LogFault) {
            active = try segment(with: encoder.bound(of: requests[start].batch), at: now)
        } catch .full {
            result.ending = .full
            return result
        } catch {
            result.ending = .failed(fail(error.description, at: now))
            return result
        }

        encoder.begin(
            GroupEncoder.Frame(
                key: catalogue.key,
                mark: active.header.mark,
                cipher: active.cipher,
                firstBlock: active.nextBlock,
                first: result.first,
                floor: synced.advanced(by: 1),
                written: now,
                room: active.fileBytes - active.position
            )
        )
        result.taken = collect(requests, from: start, refused: &result.refused)
        if encoder.end == result.first { return result }

        let group: GroupEncoder.Group
        do throws(LogFault) {
            group = try encoder.finish(at: active.position)
        } catch {
            result.ending = .failed(error.description)
            return result
        }
        do throws(FileFault) {
            try active.file.write(group.bytes, at: active.position)
            if context.options.sync == .always { try active.file.sync() }
        } catch {
            result.ending = .failed(fail(error.description, at: now))
            result.isInDoubt = readOnlyReason != nil
            return result
        }
        result.bytes = group.length
        active.position += group.length
        active.nextBlock = encoder.blockAfter
        // The state lets go of the keys first: an array that two hold is copied as a whole when it is added to.
        state = .resting
        active.keys.append(contentsOf: encoder.keys)
        end = Offset(encoder.end.rawValue - 1)
        if context.options.sync == .always { synced = end }
        state = .writing(active)
        catalogue.publish(end: end, endByte: active.position)
        encoder.releaseExcess()
        return result
    }

    /// Tries whether a read-only lane can be written again, if its pause is over.
    package func revive(at now: WallTime) {
        guard case .readOnly(let reason, let since) = state, now.since(since) >= Self.retryPause || now < since else {
            return
        }
        do throws(LogFault) {
            _ = try beginSegment(need: Sector.byteCount, at: now)
        } catch {
            state = .readOnly(reason: reason, since: now)
        }
    }

    /// Adds requests to the group until it is full; returns how many were taken, those refused included.
    private func collect(_ requests: [AppendRequest], from start: Int, refused: inout [Int: String]) -> Int {
        var index = start
        var bytes = 0
        while index < requests.count {
            let batch = requests[index].batch
            if index > start, bytes + batch.byteCount > context.options.groupBytes { break }
            do throws(LogFault) {
                try ensureLayouts(of: batch)
            } catch {
                refused[index] = error.description
                index += 1
                continue
            }
            switch encoder.add(batch, keyed: requests[index].keyed) {
            case .added:
                bytes += batch.byteCount
                index += 1
            case .refused(let reason):
                refused[index] = reason
                index += 1
            case .noRoom:
                return index - start
            }
        }
        return index - start
    }

    private func ensureLayouts(of batch: RowBatch) throws(LogFault) {
        for run in batch.runs where run.fingerprint != lastFingerprint {
            try context.layouts.ensure(run.fingerprint, from: batch.layouts)
            lastFingerprint = run.fingerprint
        }
    }

    /// Forces to the disk what has been acknowledged before. Returns what went wrong, if something did.
    package func sync(at now: WallTime) -> String? {
        guard needsSync else { return nil }
        guard case .writing(let active) = state else { return nil }
        do throws(FileFault) {
            try active.file.sync()
            synced = end
            return nil
        } catch {
            return fail(error.description, at: now)
        }
    }

    /// Ends the writing: syncs what has been acknowledged and gives the rest of the active segment back, so that the next start finds the end at
    /// once. Returns what went wrong, if something did. An append afterwards begins a new segment.
    package func close(at now: WallTime) -> String? {
        let fault = sync(at: now)
        guard case .writing(let active) = state else { return fault }
        state = .resting
        noteSealed(active)
        do throws(FileFault) {
            try active.file.truncate(active.position)
            try active.file.sync()
        } catch {
            return fault ?? error.description
        }
        context.budget.release(active.fileBytes - active.position)
        catalogue.change(active.header.base) { $0.bytes = active.position }
        return fault
    }

    /// The active segment if it has room for `need` bytes, else a new one.
    private func segment(with need: Int, at now: WallTime) throws(LogFault) -> Active {
        guard case .writing(let active) = state else { return try beginSegment(need: need, at: now) }
        if active.fileBytes - active.position >= need { return active }
        if needsSync {
            do throws(FileFault) { try active.file.sync() } catch { throw .file(error) }
            synced = end
        }
        let next = try beginSegment(need: need, at: now)
        noteSealed(active)
        return next
    }

    /// Leaves the keys of a segment that is not written any more to whoever writes sidecars. One without rows has been replaced.
    private func noteSealed(_ active: Active) {
        guard end >= active.header.base else { return }
        catalogue.noteSealed(
            LaneCatalogue.SealedKeys(base: active.header.base, last: end, keys: active.keys)
        )
    }

    /// A write or a sync failed, which is final for the segment: it is never written or synced again. The lane goes on in a new segment
    /// whose base excludes the rows of the failed group, or becomes read-only.
    private func fail(_ reason: String, at now: WallTime) -> String {
        var abandoned: Active?
        if case .writing(let active) = state { abandoned = active }
        if let abandoned { noteSealed(abandoned) }
        do throws(LogFault) {
            state = .writing(try beginSegment(need: Sector.byteCount, at: now))
            return reason
        } catch {
            if let abandoned { withdrawFailedGroup(of: abandoned) }
            state = .readOnly(reason: "\(reason); and no new segment could be begun: \(error)", since: now)
            return "\(reason); and no new segment could be begun: \(error)"
        }
    }

    /// With no new segment to exclude them by its base, the rows of the failed group can only be cut off, for what that is worth on such
    /// a disk: it also keeps the kernel from writing them later. Nothing relies on it.
    private func withdrawFailedGroup(of abandoned: Active) {
        do throws(FileFault) { try abandoned.file.truncate(abandoned.position) } catch {}
    }
}
