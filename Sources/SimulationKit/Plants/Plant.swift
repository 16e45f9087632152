package import Delivery
import SegmentedLog

/// A fault that is planted to show that the simulation finds it. Each stands in front of a port; the production code does not know of them.
package enum Plant: String, Hashable, Sendable, CaseIterable {
    case acknowledgeBeforeSync = "acknowledge-before-sync"
    case noDirectorySync = "no-directory-sync"
    case retriedSync = "retried-sync"
    case tornTailAsData = "torn-tail-as-data"
    case ledgerOutsideTransaction = "ledger-outside-transaction"
    case noCompareAndSet = "no-compare-and-set"
    case blindResend = "blind-resend"
    case letterAfterLedger = "letter-after-ledger"
    case forgottenKeys = "forgotten-keys"
    case trimmedAtCommit = "trimmed-at-commit"
    case abandonedReplica = "abandoned-replica"
    case lowerTimeline = "lower-timeline"
    case epochNotRaised = "epoch-not-raised"
    case epochRaisedByOne = "epoch-raised-by-one"
    case comparedLSNs = "compared-lsns"

    package var summary: String {
        switch self {
        case .acknowledgeBeforeSync: "fdatasync returns before anything is on disk"
        case .noDirectorySync: "files are synced, the directories that name them are not"
        case .retriedSync: "a sync that failed is called again, and its success believed"
        case .tornTailAsData: "what stands behind a block's header is taken for its rows, whatever its checksum says"
        case .ledgerOutsideTransaction: "the rows are committed first, the ledger after them"
        case .noCompareAndSet: "the ledger moves whatever epoch and position it is at"
        case .blindResend: "after a commit without an answer the rows are sent again, without asking the ledger"
        case .letterAfterLedger: "a dead letter is written after the ledger has passed its rows"
        case .forgottenKeys: "a start does not read the idempotency keys that are on disk"
        case .trimmedAtCommit: "the queue is trimmed by what the primary holds, the replica being behind"
        case .abandonedReplica: "what a replica showed on an abandoned timeline goes on counting"
        case .lowerTimeline: "the first node that takes writes is the primary, whatever its timeline"
        case .epochNotRaised: "a claim leaves the epoch as it is"
        case .epochRaisedByOne: "a claim raises the epoch by one, to what an abandoned timeline may show already"
        case .comparedLSNs: "a replica counts as holding what the primary held at the same LSN"
        }
    }

    func fileSystem(_ disk: any FileSystem) -> (any FileSystem)? {
        switch self {
        case .acknowledgeBeforeSync, .noDirectorySync, .retriedSync, .tornTailAsData: PlantedDisk(disk, self)
        case .ledgerOutsideTransaction, .noCompareAndSet, .blindResend, .letterAfterLedger, .forgottenKeys,
            .trimmedAtCommit, .abandonedReplica, .lowerTimeline, .epochNotRaised, .epochRaisedByOne, .comparedLSNs:
            nil
        }
    }

    package func destination(_ session: any Destination) -> (any Destination)? {
        switch self {
        case .ledgerOutsideTransaction: LedgerOutsideTransaction(session)
        case .blindResend: BlindResend(session)
        case .acknowledgeBeforeSync, .noDirectorySync, .retriedSync, .tornTailAsData, .noCompareAndSet,
            .letterAfterLedger, .forgottenKeys, .trimmedAtCommit, .abandonedReplica, .lowerTimeline, .epochNotRaised,
            .epochRaisedByOne, .comparedLSNs:
            nil
        }
    }

    package func letters(_ store: any DeadLetterStore) -> (any DeadLetterStore)? {
        self == .letterAfterLedger ? LetterAfterLedger(store) : nil
    }
}
