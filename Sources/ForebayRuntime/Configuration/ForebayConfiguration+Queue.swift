extension ForebayConfiguration {
    /// `queue:`, the queue on disk.
    package struct Queue: Hashable, Sendable {
        package enum Sync: String, Hashable, Sendable, CaseIterable {
            /// An event is on disk before it is acknowledged.
            case always
            /// The disk is synced every ``Queue/syncInterval``; a crash of the machine loses what came since.
            case interval
            /// The kernel writes when it likes; a crash of the machine loses what it had not written.
            case never
        }

        package var path = "/var/lib/forebay/queue"
        /// The most bytes that the queue directory may take.
        package var maxBytes = ByteCount(gibibytes: 64)
        /// The part of ``maxBytes`` that ingest leaves free, for draining, dead-lettering and trimming.
        package var reserve = Queue.defaultReserve(of: ByteCount(gibibytes: 64))
        package var lanes = 2
        package var sync = Sync.always
        /// Used with ``Sync/interval`` alone.
        package var syncInterval = Duration.milliseconds(100)
        package var segmentBytes = ByteCount(mebibytes: 64)
        /// The most bytes of rows that wait in memory for a group commit, over all lanes; more is answered with 503.
        package var maxPending = ByteCount(mebibytes: 32)
        /// Encryption at rest; nil stores plainly.
        package var encryption: Encryption?

        package init() {}

        /// A sixteenth of the budget, 256 MiB at most.
        package static func defaultReserve(of maxBytes: ByteCount) -> ByteCount {
            min(ByteCount(mebibytes: 256), ByteCount(maxBytes.bytes / 16))
        }
    }

    /// `queue.encryption:`, the keys that segments are or were encrypted with.
    package struct Encryption: Hashable, Sendable {
        /// Where a 256-bit key is read from: 64 hexadecimal digits, or a file of exactly 32 bytes.
        package enum KeySource: Hashable, Sendable {
            case file(String)
            /// The name of an environment variable.
            case environment(String)
        }

        /// Keys by id: those that old segments still need, and the active one.
        package var keys: [String: KeySource]
        /// The id of the key that new segments are encrypted with.
        package var active: String

        package init(keys: [String: KeySource], active: String) {
            self.keys = keys
            self.active = active
        }
    }
}
