/// How the last segment of a lane ends, decided from what its bytes show.
///
/// The labels stand in the crash safety page; each says how its row arises.
package enum TailRecovery {
    /// What stands where the next block should begin.
    package enum Ending: Hashable, Sendable, CaseIterable {
        /// The group before is complete, and no block of this segment follows.
        case boundary
        /// The block before said that its group goes on, but no intact block follows.
        case insideGroup
        /// The group before is complete, and something follows that has a block's header but is not intact.
        case damagedBlock
    }

    /// What says that rows from here on were durable, and so acknowledged.
    package enum Proof: Hashable, Sendable, CaseIterable {
        case none
        /// A later block whose floor lies beyond: it was written after these rows had been synced.
        case laterBlock
        /// The watermark file.
        case watermark
    }

    package struct Evidence: Hashable, Sendable {
        package var headerIsReadable: Bool
        package var ending: Ending
        /// The last intact block belongs to a request whose commit mark is missing.
        package var runIsOpen: Bool
        package var proof: Proof

        package init(headerIsReadable: Bool, ending: Ending, runIsOpen: Bool, proof: Proof) {
            self.headerIsReadable = headerIsReadable
            self.ending = ending
            self.runIsOpen = runIsOpen
            self.proof = proof
        }
    }

    package enum Verdict: Hashable, Sendable {
        /// Everything up to here is whole; the lane goes on behind it.
        case clean
        /// A group commit was under way when the lights went out. Nothing of it was acknowledged: what is whole stays, an unfinished request is
        /// undone, the rest is cut.
        case torn
        /// Rows that had been durable can't be read. The file is kept as it is; the lost offsets are reported and not used again.
        case corrupt
    }

    package struct Row: Sendable {
        package var label: String
        package var verdict: Verdict
        package var matches: @Sendable (Evidence) -> Bool
    }

    /// The first row that matches decides.
    package static let table: [Row] = [
        // A segment gets its name only after its header was synced. One that has the name and no header was damaged later.
        Row(label: "H header gone", verdict: .corrupt) { !$0.headerIsReadable },
        // Sectors went bad, or something wrote into the file; blocks that were written after these rows were synced are still there.
        Row(label: "L later block", verdict: .corrupt) { $0.proof == .laterBlock },
        // The last group commits went bad, with nothing behind them in the file; the hint remembers that they had been synced.
        Row(label: "W watermark beyond", verdict: .corrupt) { $0.proof == .watermark },
        // The writer ends a group only together with a request, so this is no state that a torn write leaves.
        Row(label: "M mark missing", verdict: .corrupt) { $0.ending == .boundary && $0.runIsOpen },
        // Stopped between group commits, or before anything of the next one reached the disk.
        Row(label: "C between groups", verdict: .clean) { $0.ending == .boundary },
        // The beginning of the group reached the disk, the rest did not.
        Row(label: "T inside a group", verdict: .torn) { $0.ending == .insideGroup },
        // The first sector of the group reached the disk, later ones of its first block did not; or the same within a run, whose earlier
        // group can't have ended with it open, so that the run is undone too.
        Row(label: "B broken block", verdict: .torn) { $0.ending == .damagedBlock },
    ]

    package static func decide(_ evidence: Evidence) -> Row {
        guard let row = table.first(where: { $0.matches(evidence) }) else {
            preconditionFailure("the table covers every combination; its test walks them all")
        }
        return row
    }
}
