package import Records

/// The reading end of a lane, up to the durable watermark. Each reader has its own.
///
/// Reading in sequence keeps its place; a read from elsewhere finds the segment by its name and walks its headers.
/// Owner: one thread.
package final class LaneCursor {
    package struct Result: Sendable {
        package var chunks: [RowChunk] = []
        package var lost: [ClosedRange<Offset>] = []
    }

    private struct Place {
        var base: Offset
        var walk: SegmentWalk
        var position: Int
        /// The first offset of the block at `position`, if all is well.
        var expected: Offset
    }

    package let catalogue: LaneCatalogue
    private let fileSystem: any FileSystem
    private let keyRing: KeyRing
    private var place: Place?
    /// How often in a row the file system refused to read at one place.
    private var refusals: (offset: Offset, count: Int) = (.none, 0)

    /// After so many refusals in a row to read the same block it counts as damaged.
    package static let toleratedRefusals = 10

    package convenience init(catalogue: LaneCatalogue, context: LogContext) {
        self.init(catalogue: catalogue, fileSystem: context.fileSystem, keyRing: context.keyRing)
    }

    init(catalogue: LaneCatalogue, fileSystem: any FileSystem, keyRing: KeyRing) {
        self.catalogue = catalogue
        self.fileSystem = fileSystem
        self.keyRing = keyRing
    }

    /// Reads the rows after `offset`, whole blocks, until `rows` or `bytes` is reached or the durable end; empty at the end.
    ///
    /// The first chunk begins at `offset` + 1 exactly: a block that straddles it is cut. What can't be read, or is trimmed, is skipped and
    /// comes back in `lost`. A throw loses nothing: the same call can be made again.
    package func read(after offset: Offset, rows: Int, bytes: Int) throws(LogFault) -> Result {
        var result = Result()
        var (rowsRead, bytesRead) = (0, 0)
        var wanted = offset.advanced(by: 1)
        while rowsRead < rows, bytesRead < bytes {
            let segment: LaneCatalogue.Segment
            let last: Offset
            switch catalogue.locate(wanted) {
            case .ahead:
                return result
            case .trimmed(let first):
                result.lost.append(wanted...Offset(first.rawValue - 1))
                wanted = first
                continue
            case .segment(let found, let end, let limit):
                (segment, last) = (found, end)
                if try !enter(found, at: wanted, limit: limit) {
                    guard isStillThere(found) else { continue }
                    lose(wanted...last, in: found, &result, &wanted)
                    continue
                }
            }
            switch try next(wanted, last: last) {
            case .rows(let chunk):
                rowsRead += chunk.count
                bytesRead += chunk.bytes.count
                wanted = chunk.last.advanced(by: 1)
                result.chunks.append(chunk)
            case .damage(let until):
                guard isStillThere(segment) else { continue }
                lose(wanted...min(until, last), in: segment, &result, &wanted)
            }
        }
        return result
    }

    /// The header of the block that holds the offset; nil if it can't be read. Cheap where called for growing offsets.
    package func header(of offset: Offset) throws(LogFault) -> BlockHeader? {
        guard case .segment(let segment, let last, let limit) = catalogue.locate(offset),
            try enter(segment, at: offset, limit: limit)
        else { return nil }
        guard case .block(let block) = try find(offset, last: last) else { return nil }
        return block
    }

    private func lose(
        _ range: ClosedRange<Offset>,
        in segment: LaneCatalogue.Segment,
        _ result: inout Result,
        _ wanted: inout Offset
    ) {
        catalogue.noteDamage(in: segment.base)
        if let previous = result.lost.last, previous.upperBound.advanced(by: 1) == range.lowerBound {
            result.lost[result.lost.count - 1] = previous.lowerBound...range.upperBound
        } else {
            result.lost.append(range)
        }
        wanted = range.upperBound.advanced(by: 1)
    }

    /// Whether a segment in which something was missing still belongs to the lane; if not, it was trimmed meanwhile.
    private func isStillThere(_ segment: LaneCatalogue.Segment) -> Bool {
        if catalogue.first <= segment.base { return true }
        place = nil
        return false
    }

    /// Takes the place in the segment from which `wanted` is reached by going forward; false if the segment has no usable header.
    private func enter(_ segment: LaneCatalogue.Segment, at wanted: Offset, limit: Int) throws(LogFault) -> Bool {
        if var place, place.base == segment.base, place.expected <= wanted {
            place.walk.limit = limit
            place = Place(base: place.base, walk: place.walk, position: place.position, expected: place.expected)
            self.place = place
            return true
        }
        if let place, place.base == segment.base {
            place.walk.limit = limit
            self.place = Place(
                base: segment.base,
                walk: place.walk,
                position: SegmentHeader.byteCount,
                expected: segment.base
            )
            return true
        }
        place = nil
        let path = "\(catalogue.directory)/\(LaneFiles.segment(segment.base))"
        let file: any File
        let sector: [UInt8]
        do throws(FileFault) {
            file = try fileSystem.open(path, .read)
            sector = try DurableFile.read(file, at: 0, count: SegmentHeader.byteCount)
        } catch {
            if error.isMissing { return false }
            return try refused(error, at: wanted)
        }
        let header: SegmentHeader
        do throws(SegmentHeader.Fault) {
            header = try SegmentHeader.decode(sector)
        } catch .version(let version) {
            throw .unreadable(path: path, reason: "segment format \(version) is newer than this version of forebay")
        } catch {
            return false
        }
        guard header.key == catalogue.key, header.base == segment.base else { return false }
        let walk = SegmentWalk(
            file: file,
            header: header,
            cipher: try keyRing.cipher(for: header),
            limit: limit
        )
        place = Place(base: segment.base, walk: walk, position: SegmentHeader.byteCount, expected: segment.base)
        return true
    }

    private enum Step {
        case rows(RowChunk)
        /// Nothing readable up to and including this offset.
        case damage(until: Offset)
    }

    private enum Found {
        case block(BlockHeader)
        case damage(until: Offset)
    }

    /// Reads the block that holds `wanted`, and takes the place behind it.
    private func next(_ wanted: Offset, last: Offset) throws(LogFault) -> Step {
        switch try find(wanted, last: last) {
        case .damage(let until):
            return .damage(until: until)
        case .block(let block):
            guard let place else { return .damage(until: wanted) }
            let rows: [UInt8]?
            do throws(FileFault) {
                guard let body = try place.walk.body(of: block, at: place.position) else {
                    step(over: block)
                    return .damage(until: block.last)
                }
                rows = try unpack(block, body, place.walk)
            } catch {
                _ = try refused(error, at: wanted)
                step(over: block)
                return .damage(until: block.last)
            }
            step(over: block)
            guard let rows, let chunk = Self.chunk(block, rows, from: wanted, upTo: last) else {
                return .damage(until: block.last)
            }
            return .rows(chunk)
        }
    }

    /// `SegmentWalk.rows`, whose faults are no faults of a file.
    private func unpack(_ block: BlockHeader, _ body: UnsafeRawBufferPointer, _ walk: SegmentWalk) throws(FileFault)
        -> [UInt8]?
    {
        do throws(LogFault) {
            return try walk.rows(of: block, in: body)
        } catch {
            return nil
        }
    }

    private func step(over block: BlockHeader) {
        guard var place else { return }
        place.position = block.next(after: place.position)
        place.expected = block.last.advanced(by: 1)
        place.walk.releaseExcess()
        self.place = place
    }

    /// Goes forward to the block that holds `wanted`, header by header.
    private func find(_ wanted: Offset, last: Offset) throws(LogFault) -> Found {
        guard var place else { return .damage(until: last) }
        defer { self.place = place }
        do throws(FileFault) {
            while true {
                if case .block(let block) = try place.walk.look(at: place.position), block.first == place.expected {
                    if block.last >= wanted {
                        refusals.count = 0
                        return .block(block)
                    }
                    place.position = block.next(after: place.position)
                    place.expected = block.last.advanced(by: 1)
                    continue
                }
                guard let later = try place.walk.resynchronize(after: place.position, from: place.expected),
                    later.block.first <= last
                else { return .damage(until: last) }
                place.position = later.position
                place.expected = later.block.first
                if later.block.first > wanted { return .damage(until: Offset(later.block.first.rawValue - 1)) }
            }
        } catch {
            _ = try refused(error, at: wanted)
            return .damage(until: last)
        }
    }

    /// The file system would not read: an error that may pass is thrown, one that stays is taken for damage after some attempts.
    private func refused(_ fault: FileFault, at offset: Offset) throws(LogFault) -> Bool {
        refusals = refusals.offset == offset ? (offset, refusals.count + 1) : (offset, 1)
        if refusals.count < Self.toleratedRefusals { throw .file(fault) }
        refusals.count = 0
        return false
    }

    /// The rows of a block from `wanted` on, those after `last` (a failed group's) left out; nil if they are no whole tuples.
    private static func chunk(_ block: BlockHeader, _ rows: [UInt8], from wanted: Offset, upTo last: Offset)
        -> RowChunk?
    {
        if block.first == wanted, block.last <= last {
            return RowChunk(fingerprint: block.fingerprint, first: wanted, count: block.rows, bytes: rows)
        }
        let skipped = Int(wanted.rawValue - block.first.rawValue)
        let kept = Int(min(block.last, last).rawValue - wanted.rawValue) + 1
        let range = rows.withUnsafeBytes { bytes -> Range<Int>? in
            guard let start = TupleWalk.end(ofRows: skipped, in: bytes) else { return nil }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            guard let length = TupleWalk.end(ofRows: kept, in: rest) else { return nil }
            return start..<start + length
        }
        guard let range else { return nil }
        return RowChunk(fingerprint: block.fingerprint, first: wanted, count: kept, bytes: Array(rows[range]))
    }
}
