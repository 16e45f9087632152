package import Records

/// Reads the last segment of a lane from its beginning to the end of what is valid. Changes nothing.
package struct TailScan: Sendable {
    /// The last offset that stands; base − 1 if there is none.
    package var end: Offset
    /// Where the valid bytes end.
    package var endByte: Int
    /// Rows that were durable and can't be read.
    package var lost: [ClosedRange<Offset>] = []
    /// Bytes of an unfinished group commit, as far as they can be told from stale ones.
    package var tornBytes = 0
    /// Blocks that were intact but belong to a request without its commit mark.
    package var undoneBlocks = 0
    package var keys: [KeyEntry] = []
    package var verdict = TailRecovery.Verdict.clean
    /// The labels of the rows of the table that decided, in the order of the file.
    package var labels: [String] = []

    /// - Parameter durableHint: what the watermark file says was durable.
    package static func run(_ walk: SegmentWalk, durableHint: Offset) throws(FileFault) -> TailScan {
        var scan = Scanner(walk: walk, durableHint: durableHint)
        return try scan.run()
    }

    private struct Scanner {
        let walk: SegmentWalk
        let durableHint: Offset
        var result: TailScan
        var position = SegmentHeader.byteCount
        var expected: Offset
        var isInsideGroup = false
        /// Where the run without a mark begins.
        var openRun: (position: Int, first: Offset, keys: Int, blocks: Int)?

        init(walk: SegmentWalk, durableHint: Offset) {
            self.walk = walk
            self.durableHint = durableHint
            expected = walk.header.base
            result = TailScan(end: .none, endByte: SegmentHeader.byteCount)
        }

        mutating func run() throws(FileFault) -> TailScan {
            while true {
                let finding = try walk.look(at: position)
                if case .block(let block) = finding, block.first == expected,
                    let body = try walk.body(of: block, at: position)
                {
                    take(block, body)
                } else if try !goOnBehindDamage(finding) {
                    return result
                }
            }
        }

        private mutating func take(_ block: BlockHeader, _ body: UnsafeRawBufferPointer) {
            if block.flags.contains(.continues) {
                let start = openRun ?? (position, expected, result.keys.count, 0)
                openRun = (start.position, start.first, start.keys, start.blocks + 1)
            } else {
                openRun = nil
            }
            result.keys.append(contentsOf: walk.keys(of: block, in: body))
            isInsideGroup = !block.flags.contains(.groupEnds)
            position = block.next(after: position)
            expected = block.last.advanced(by: 1)
        }

        /// Decides what the end of the intact blocks means. True if there is more to read behind damage, else `result` is complete.
        private mutating func goOnBehindDamage(_ finding: SegmentWalk.Finding) throws(FileFault) -> Bool {
            let later = try walk.resynchronize(after: position, from: expected)
            let isProven = try later.map { found throws(FileFault) in try proves(found) } ?? false
            let ending: TailRecovery.Ending =
                switch finding {
                case _ where isInsideGroup: .insideGroup
                case .nothing: .boundary
                case .block, .damaged: .damagedBlock
                }
            let row = TailRecovery.decide(
                TailRecovery.Evidence(
                    headerIsReadable: true,
                    ending: ending,
                    runIsOpen: openRun != nil,
                    proof: isProven ? .laterBlock : durableHint >= expected ? .watermark : .none
                )
            )
            result.labels.append(row.label)
            if row.verdict == .corrupt {
                result.verdict = .corrupt
            } else if result.verdict != .corrupt {
                result.verdict = row.verdict
            }
            switch row.verdict {
            case .corrupt:
                if let later, isProven {
                    report(lostUpTo: Offset(later.block.first.rawValue - 1))
                    position = later.position
                    expected = later.block.first
                    isInsideGroup = false
                    openRun = nil
                    return true
                }
                report(lostUpTo: durableHint)
                finish(end: max(durableHint, Offset(expected.rawValue - 1)), byte: position)
            case .torn:
                result.tornBytes = tornBytes(finding)
                if let openRun {
                    result.undoneBlocks = openRun.blocks
                    result.keys.removeSubrange(openRun.keys...)
                    result.tornBytes += position - openRun.position
                }
                finish(
                    end: Offset((openRun?.first ?? expected).rawValue - 1),
                    byte: openRun?.position ?? position
                )
            case .clean:
                finish(end: Offset(expected.rawValue - 1), byte: position)
            }
            return false
        }

        /// Whether a later block, or one behind it, was written after the rows that are missing here had been synced.
        private func proves(_ found: (position: Int, block: BlockHeader)) throws(FileFault) -> Bool {
            var found = found
            while true {
                if found.block.floor > expected { return true }
                guard let next = try walk.resynchronize(after: found.position, from: expected) else { return false }
                found = next
            }
        }

        private mutating func report(lostUpTo last: Offset) {
            if expected <= last { result.lost.append(expected...last) }
        }

        private mutating func finish(end: Offset, byte: Int) {
            result.end = end
            result.endByte = byte
        }

        private func tornBytes(_ finding: SegmentWalk.Finding) -> Int {
            if case .block(let block) = finding { return min(block.totalBytes, walk.limit - position) }
            return 0
        }
    }
}
