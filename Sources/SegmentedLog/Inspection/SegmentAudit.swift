package import Records

/// Reads a whole segment and says everything that is wrong with it.
package struct SegmentAudit: Sendable {
    package struct Fault: Hashable, Sendable {
        /// Where in the file it begins.
        package var byte: Int
        /// The rows that it costs; nil if it costs none.
        package var offsets: ClosedRange<Offset>?
        package var reason: String
    }

    package var blocks = 0
    package var rows = 0
    package var keys = 0
    /// Bytes of blocks, headers included.
    package var blockBytes = 0
    /// Bytes of the rows as they were before compression.
    package var rawBytes = 0
    /// Blocks whose rows could not be looked at, since the encryption key is not configured. Their checksums were.
    package var sealedBlocks = 0
    package var faults: [Fault] = []
    package var fingerprints: Set<Fingerprint> = []

    /// - Parameters:
    ///   - last: the last offset that the segment should have.
    ///   - limit: where its blocks end at the latest.
    package static func run(
        _ file: any File,
        header: SegmentHeader,
        last: Offset,
        limit: Int,
        keyRing: KeyRing
    ) throws(LogFault) -> SegmentAudit {
        let hasKey = header.keyID.map(keyRing.contains) ?? true
        let walk = SegmentWalk(
            file: file,
            header: header,
            cipher: hasKey ? try keyRing.cipher(for: header) : nil,
            limit: limit
        )
        var audit = SegmentAudit()
        do throws(FileFault) {
            try audit.read(walk, last: last, hasKey: hasKey)
        } catch {
            throw .file(error)
        }
        return audit
    }

    private mutating func read(_ walk: SegmentWalk, last: Offset, hasKey: Bool) throws(FileFault) {
        var position = SegmentHeader.byteCount
        var expected = walk.header.base
        var number: UInt32 = 0
        while expected <= last {
            let finding = try walk.look(at: position)
            if case .block(let block) = finding, block.first == expected {
                if block.number != number {
                    report(position, nil, "block number \(block.number) where \(number) was due")
                }
                try check(block, at: position, walk, hasKey: hasKey)
                number = block.number &+ 1
                position = block.next(after: position)
                expected = block.last.advanced(by: 1)
                continue
            }
            let reason = Self.describe(finding, expected)
            guard let later = try walk.resynchronize(after: position, from: expected), later.block.first <= last else {
                report(position, expected...last, reason)
                return
            }
            // What stands between two blocks that follow each other costs no row.
            let lost = expected < later.block.first ? expected...Offset(later.block.first.rawValue - 1) : nil
            report(position, lost, reason)
            position = later.position
            expected = later.block.first
            number = later.block.number
        }
    }

    private static func describe(_ finding: SegmentWalk.Finding, _ expected: Offset) -> String {
        switch finding {
        case .nothing: "no block of this segment where the one with offset \(expected) was due"
        case .damaged(let reason): reason
        case .block(let block): "the block begins with offset \(block.first), \(expected) was due"
        }
    }

    private mutating func check(
        _ block: BlockHeader,
        at position: Int,
        _ walk: SegmentWalk,
        hasKey: Bool
    ) throws(FileFault) {
        blocks += 1
        rows += block.rows
        blockBytes += block.totalBytes
        rawBytes += block.rawLength
        fingerprints.insert(block.fingerprint)
        let offsets = block.first...block.last
        guard let body = try walk.body(of: block, at: position) else {
            return report(position, offsets, "the checksum of the block does not match")
        }
        let entries = walk.keys(of: block, in: body)
        keys += entries.count
        if entries.count * KeyEntry.byteCount != block.keysLength || entries.contains(where: { $0.last > block.last }) {
            report(position, nil, "an idempotency key stands for rows that can't be")
        }
        guard hasKey else {
            sealedBlocks += 1
            return
        }
        let content: [UInt8]?
        do throws(LogFault) { content = try walk.rows(of: block, in: body) } catch { content = nil }
        guard let content else {
            let isEncrypted = block.flags.contains(.encrypted)
            return report(
                position,
                offsets,
                isEncrypted ? "the block can't be decrypted" : "the block can't be decompressed"
            )
        }
        let end = content.withUnsafeBytes { TupleWalk.end(ofRows: block.rows, in: $0) }
        if end != content.count { report(position, offsets, "the block's bytes are not \(block.rows) whole rows") }
    }

    private mutating func report(_ byte: Int, _ offsets: ClosedRange<Offset>?, _ reason: String) {
        faults.append(Fault(byte: byte, offsets: offsets, reason: reason))
    }
}
