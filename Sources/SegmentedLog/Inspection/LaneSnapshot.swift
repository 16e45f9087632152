package import Records

/// A lane's directory as it is just now, for reading only: beside a running proxy, or in a copy. Nothing is changed, nothing is locked.
///
/// Owner: one thread.
package struct LaneSnapshot: Sendable {
    package struct Segment: Hashable, Sendable {
        package var name: String
        package var base: Offset
        /// The last offset, going by the next segment's name or, for the last one, by its blocks.
        package var last: Offset
        package var bytes: Int
        /// nil if the header can't be read; the reason is in `complaint`.
        package var header: SegmentHeader?
        package var complaint: String?
    }

    package var key: LaneKey
    package var directory: String
    package var segments: [Segment] = []
    package var hints = LaneHints()
    package var spareBytes = 0
    package var spares = 0
    package var sidecars = 0
    package var quarantined: [String] = []
    /// How the last segment ends; nil without segments. A running proxy's looks torn while a group is being written.
    package var tail: TailScan?

    package var bytes: Int { spareBytes + segments.reduce(0) { $0 + $1.bytes } }
    /// The last offset that can be read.
    package var end: Offset { segments.last?.last ?? hints.durable }

    /// Lists the lane, and scans its last segment. A segment that a running proxy trims meanwhile is left out.
    package static func take(
        _ key: LaneKey,
        in directory: String,
        on fileSystem: any FileSystem
    ) throws(FileFault) -> LaneSnapshot {
        var snapshot = LaneSnapshot(key: key, directory: directory)
        snapshot.hints = LaneHints.read(directory, on: fileSystem)
        for name in try fileSystem.list(directory) {
            switch LaneFiles.kind(of: name) {
            case .segment(let base):
                try snapshot.add(name, base, on: fileSystem)
            case .spare:
                do throws(FileFault) {
                    snapshot.spareBytes += try fileSystem.open("\(directory)/\(name)", .read).size()
                    snapshot.spares += 1
                } catch {
                    if !error.isMissing { throw error }
                }
            case .keys: snapshot.sidecars += 1
            case .other:
                if name == LaneFiles.quarantine {
                    snapshot.quarantined = try fileSystem.list("\(directory)/\(name)").sorted()
                }
            }
        }
        snapshot.segments.sort { $0.base < $1.base }
        for index in snapshot.segments.indices.dropLast() {
            snapshot.segments[index].last = Offset(snapshot.segments[index + 1].base.rawValue - 1)
        }
        try snapshot.scanTail(on: fileSystem)
        return snapshot
    }

    private mutating func add(_ name: String, _ base: Offset, on fileSystem: any FileSystem) throws(FileFault) {
        var segment = Segment(name: name, base: base, last: Offset(base.rawValue - 1), bytes: 0)
        do throws(FileFault) {
            let file = try fileSystem.open("\(directory)/\(name)", .read)
            segment.bytes = try file.size()
            let sector = try DurableFile.read(file, at: 0, count: SegmentHeader.byteCount)
            do throws(SegmentHeader.Fault) {
                let header = try SegmentHeader.decode(sector)
                if header.key == key, header.base == base {
                    segment.header = header
                } else {
                    segment.complaint = "the header says \(header.key) from \(header.base) on"
                }
            } catch {
                segment.complaint = error.description
            }
        } catch {
            if error.isMissing { return }
            throw error
        }
        segments.append(segment)
    }

    private mutating func scanTail(on fileSystem: any FileSystem) throws(FileFault) {
        guard let last = segments.last, let header = last.header else { return }
        do throws(FileFault) {
            let file = try fileSystem.open("\(directory)/\(last.name)", .read)
            let walk = SegmentWalk(file: file, header: header, cipher: nil, limit: last.bytes)
            let scan = try TailScan.run(walk, durableHint: .none)
            tail = scan
            segments[segments.count - 1].last = scan.end
        } catch {
            if error.isMissing {
                segments.removeLast()
            } else {
                throw error
            }
        }
    }

    /// Reads the lane's rows, up to the end of the snapshot.
    package func cursor(on fileSystem: any FileSystem, keyRing: KeyRing) -> LaneCursor {
        let catalogue = LaneCatalogue(
            key: key,
            directory: directory,
            state: LaneCatalogue.State(
                segments: segments.map { LaneCatalogue.Segment(base: $0.base, bytes: $0.bytes) },
                end: end,
                endByte: tail?.endByte ?? segments.last?.bytes ?? SegmentHeader.byteCount,
                spares: [],
                nextSpare: 0
            )
        )
        return LaneCursor(catalogue: catalogue, fileSystem: fileSystem, keyRing: keyRing)
    }
}
