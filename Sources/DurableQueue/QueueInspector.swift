package import Records
package import SegmentedLog

/// Looks into a queue directory without opening the queue: beside a running proxy, or in a copy. Changes nothing.
///
/// Owner: one thread.
package struct QueueInspector {
    /// What `audit` found in a file.
    package struct Finding: Hashable, Sendable {
        package var path: String
        package var byte: Int
        package var offsets: ClosedRange<Offset>?
        package var reason: String
    }

    /// What `audit` read of a lane.
    package struct Audit: Sendable {
        package var key: LaneKey
        package var segments = 0
        package var blocks = 0
        package var rows = 0
        package var keys = 0
        package var rawBytes = 0
        package var blockBytes = 0
        /// Blocks whose rows could not be looked at for want of these keys; their checksums were.
        package var sealedBlocks = 0
        package var missingKeys: Set<String> = []
        package var findings: [Finding] = []
        /// Bytes of an unfinished group commit at the end: no fault.
        package var tornBytes = 0
    }

    /// An event with what the queue knows of it.
    package struct Event {
        package var position: Position
        package var layout: RowLayout
        /// One COPY binary tuple; valid during the call.
        package var tuple: UnsafeRawBufferPointer
    }

    package let directory: QueueDirectory
    private let keyRing: KeyRing
    private let fileSystem = POSIXFileSystem()
    private let layouts: LayoutCatalogue

    /// - Throws: if `path` is no queue directory.
    package init(path: String, keyRing: KeyRing) throws(QueueFault) {
        directory = QueueDirectory(path)
        self.keyRing = keyRing
        let id: QueueID?
        do throws(LogFault) { id = try directory.readIdentity(on: fileSystem) } catch { throw .log(error) }
        guard id != nil else { throw .format(path: path, found: "there is no queue here (no file IDENTITY)") }
        var faults: [String] = []
        do throws(FileFault) {
            layouts = try LayoutCatalogue.open(directory.layouts, on: fileSystem, faults: &faults)
        } catch {
            throw .log(.file(error))
        }
    }

    /// The id under which the queue is written.
    package func identity() throws(QueueFault) -> QueueID? {
        do throws(LogFault) { return try directory.readIdentity(on: fileSystem) } catch { throw .log(error) }
    }

    package func lanes() throws(QueueFault) -> [LaneKey] {
        do throws(FileFault) { return try directory.laneKeys(on: fileSystem) } catch { throw .log(.file(error)) }
    }

    package func snapshot(_ key: LaneKey) throws(QueueFault) -> LaneSnapshot {
        do throws(FileFault) {
            return try LaneSnapshot.take(key, in: directory.lane(key), on: fileSystem)
        } catch {
            throw .log(.file(error))
        }
    }

    /// Reads everything of a lane: headers, checksums, decryption, decompression, the boundaries of rows, sidecars.
    package func audit(_ key: LaneKey) throws(QueueFault) -> Audit {
        let snapshot = try snapshot(key)
        var audit = Audit(key: key)
        audit.tornBytes = snapshot.tail?.tornBytes ?? 0
        for (index, segment) in snapshot.segments.enumerated() {
            let isLast = index + 1 == snapshot.segments.count
            try check(segment, in: snapshot, limit: isLast ? snapshot.tail?.endByte : nil, &audit)
        }
        return audit
    }

    private func check(
        _ segment: LaneSnapshot.Segment,
        in snapshot: LaneSnapshot,
        limit: Int?,
        _ audit: inout Audit
    ) throws(QueueFault) {
        let path = "\(snapshot.directory)/\(segment.name)"
        audit.segments += 1
        guard let header = segment.header else {
            let offsets = segment.base <= segment.last ? segment.base...segment.last : nil
            audit.findings.append(
                Finding(path: path, byte: 0, offsets: offsets, reason: segment.complaint ?? "no segment header")
            )
            return
        }
        let found: SegmentAudit
        do throws(LogFault) {
            found = try SegmentAudit.run(
                try open(path),
                header: header,
                last: segment.last,
                limit: limit ?? segment.bytes,
                keyRing: keyRing
            )
        } catch .file(let fault) where fault.isMissing {
            // The proxy has trimmed it meanwhile.
            return
        } catch {
            throw .log(error)
        }
        audit.blocks += found.blocks
        audit.rows += found.rows
        audit.keys += found.keys
        audit.rawBytes += found.rawBytes
        audit.blockBytes += found.blockBytes
        audit.sealedBlocks += found.sealedBlocks
        if found.sealedBlocks > 0, let id = header.keyID { audit.missingKeys.insert(id) }
        audit.findings += found.faults.map {
            Finding(path: path, byte: $0.byte, offsets: $0.offsets, reason: $0.reason)
        }
        for fingerprint in found.fingerprints where layouts.layout(of: fingerprint) == nil {
            audit.findings.append(
                Finding(
                    path: path,
                    byte: 0,
                    offsets: nil,
                    reason: "it has rows of layout \(fingerprint), which \(directory.layouts) does not know"
                )
            )
        }
    }

    private func open(_ path: String) throws(LogFault) -> any File {
        do throws(FileFault) { return try fileSystem.open(path, .read) } catch { throw .file(error) }
    }

    /// Calls `body` with the events of a lane from `first` to `last`, in order, until it returns false.
    /// - Returns: the ranges that could not be read.
    package func events(
        of key: LaneKey,
        from first: Offset?,
        to last: Offset?,
        _ body: (Event) throws -> Bool
    ) throws -> [ClosedRange<Offset>] {
        let snapshot = try snapshot(key)
        let cursor = snapshot.cursor(on: fileSystem, keyRing: keyRing)
        let start = max(first ?? Offset(1), cursor.catalogue.first)
        let end = min(last ?? snapshot.end, snapshot.end)
        var after = Offset(start.rawValue - 1)
        var lost: [ClosedRange<Offset>] = []
        while after < end {
            let result = try cursor.read(after: after, rows: 10_000, bytes: 4 << 20)
            lost += result.lost
            for chunk in result.chunks {
                if try !visit(chunk, of: key, upTo: end, body) { return lost }
            }
            let reached = max(result.chunks.last?.last ?? .none, result.lost.last?.upperBound ?? .none)
            guard reached > after else { break }
            after = reached
        }
        return lost
    }

    private func visit(
        _ chunk: RowChunk,
        of key: LaneKey,
        upTo end: Offset,
        _ body: (Event) throws -> Bool
    ) throws -> Bool {
        guard let layout = layouts.layout(of: chunk.fingerprint) else {
            throw QueueFault.log(.unknownLayout(chunk.fingerprint))
        }
        return try chunk.bytes.withUnsafeBytes { bytes in
            var position = 0
            for index in 0..<chunk.count {
                let offset = chunk.first.advanced(by: index)
                guard offset <= end, let next = TupleWalk.end(of: position, in: bytes) else { return false }
                let tuple = UnsafeRawBufferPointer(rebasing: bytes[position..<next])
                if try !body(Event(position: key.position(offset), layout: layout, tuple: tuple)) { return false }
                position = next
            }
            return true
        }
    }
}
