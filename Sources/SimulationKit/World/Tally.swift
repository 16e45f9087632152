/// How often each kind of thing happened.
package struct Tally: Hashable, Sendable {
    package enum Event: Int, Hashable, Sendable, CaseIterable {
        case kills
        case killsInCalls
        case powerCuts
        case failedStarts
        case lostBytes
        case lostNames
        case tornTails
        case undoneRuns
        case failedReads
        case failedWrites
        case failedSyncs
        case failedDirectorySyncs
        case failedNames
        case fullDisk
        case readOnlyLanes
        case groupCommits
        case runs
        case rotations
        case recycled
        case trimmed
        case drainedLanes
        case accepted
        case refusedFull
        case refusedFailed
        case lostAnswers
        case resends
        case keyedRepeats
        case attachedRepeats
        case reusedKeys
        case forgottenKeys
        case flushes
        case brokenConnections
        case ambiguousCommits
        case committedUnanswered
        case lateTransactions
        case fenced
        case postgresRestarts
        case failovers
        case replayed
        case stoppedReceivers
        case deadNodes
        case hungNodes
        case refusingNodes
        case mistakenNodes
        case secondWriters
        case switchovers
        case otherHistories
        case rewinds
        case restores
        case madeAnew
        case neighbourFlushes
        case primaryChanges
        case degradations
        case holds
        case orders
        case resent
        case replayedRests
        case lost
        case unreported
        case poison
        case parkedStreams
        case setAside
        case lettersRetried
        case lettersDiscarded
        case lettersCompacted
        case letterFaults
        case interleaved
        case calls

        package var label: String {
            switch self {
            case .kills: "kills of the proxy"
            case .killsInCalls: "kills in the middle of a call"
            case .powerCuts: "power cuts"
            case .failedStarts: "starts that failed"
            case .lostBytes: "files that lost unsynced bytes"
            case .lostNames: "directories that lost unsynced names"
            case .tornTails: "torn tails cut off"
            case .undoneRuns: "unfinished requests undone"
            case .failedReads: "failed reads"
            case .failedWrites: "failed writes"
            case .failedSyncs: "failed syncs of files"
            case .failedDirectorySyncs: "failed syncs of directories"
            case .failedNames: "failed creations, renames and removals"
            case .fullDisk: "calls refused by a full disk"
            case .readOnlyLanes: "lanes made read-only"
            case .groupCommits: "group commits"
            case .runs: "requests of several blocks"
            case .rotations: "segments begun"
            case .recycled: "segments begun in a spare file"
            case .trimmed: "segments trimmed"
            case .drainedLanes: "lanes drained and removed"
            case .accepted: "requests acknowledged"
            case .refusedFull: "requests refused for lack of room"
            case .refusedFailed: "requests failed"
            case .lostAnswers: "answers lost on their way"
            case .resends: "requests sent again under their key"
            case .keyedRepeats: "repeats known by their key"
            case .attachedRepeats: "repeats of a request under way"
            case .reusedKeys: "keys refused for another body"
            case .forgottenKeys: "sidecars of keys outlived by their window"
            case .flushes: "flushes committed"
            case .brokenConnections: "connections broken"
            case .ambiguousCommits: "commits without an answer"
            case .committedUnanswered: "of these, committed"
            case .lateTransactions: "transactions that came late"
            case .fenced: "flushes fenced off"
            case .postgresRestarts: "restarts of PostgreSQL"
            case .failovers: "failovers to a replica that was behind"
            case .replayed: "records replayed by replicas"
            case .stoppedReceivers: "receivers stopped"
            case .deadNodes: "nodes that died"
            case .hungNodes: "nodes that hung"
            case .refusingNodes: "nodes that let nobody in"
            case .mistakenNodes: "names that led to another cluster"
            case .secondWriters: "promotions beside a primary that went on"
            case .switchovers: "promotions in order"
            case .otherHistories: "promotions of a node that the primary had left behind"
            case .rewinds: "nodes rewound"
            case .restores: "restores to an earlier point"
            case .madeAnew: "clusters made anew"
            case .neighbourFlushes: "flushes of another proxy"
            case .primaryChanges: "changes to another primary"
            case .degradations: "degradations"
            case .holds: "looks of lanes that are held"
            case .orders: "orders of the operator to replay"
            case .resent: "rows sent again after a ledger went back"
            case .replayedRests: "replays of what was left"
            case .lost: "positions reported as lost"
            case .unreported: "positions of drained lanes lost unreported"
            case .poison: "rows dead-lettered"
            case .parkedStreams: "streams parked"
            case .setAside: "rows set aside with their stream"
            case .lettersRetried: "dead letters retried"
            case .lettersDiscarded: "dead letters discarded"
            case .lettersCompacted: "dead-letter files compacted"
            case .letterFaults: "dead letters not taken at first"
            case .interleaved: "threads interleaved at a call"
            case .calls: "calls of ports"
            }
        }
    }

    private var counts: [Int]

    package init() {
        counts = Array(repeating: 0, count: Event.allCases.count)
    }

    package subscript(event: Event) -> Int {
        get { counts[event.rawValue] }
        set { counts[event.rawValue] = newValue }
    }

    package mutating func add(_ event: Event, _ count: Int = 1) {
        self[event] += count
    }

    package mutating func add(_ other: Tally) {
        for index in counts.indices { counts[index] += other.counts[index] }
    }

    /// What never happened.
    package var missing: [Event] { Event.allCases.filter { self[$0] == 0 } }

    func fold(into digest: inout Digest) {
        for count in counts { digest.add(UInt64(count)) }
    }
}

/// A fingerprint of what happened: equal for equal stories.
struct Digest {
    private(set) var value: UInt64 = 0x5EED

    mutating func add(_ word: UInt64) {
        value = SplitMix.mix(value &+ 0x9E37_79B9_7F4A_7C15 ^ word)
    }
}
