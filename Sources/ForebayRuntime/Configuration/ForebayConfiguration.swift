import Records

/// Everything that an operator can set, with the defaults of design section 8 and units in the types.
///
/// `ForebayConfiguration()` is the configuration of an empty file. ``load(path:environment:checkingFiles:)`` reads a file
/// and the environment; ``validate()`` says what is wrong with a value of this type, whoever made it.
package struct ForebayConfiguration: Hashable, Sendable {
    package var queue = Queue()
    package var postgres = Postgres()
    /// In the order of the file; names are unique.
    package var streams = [Stream(name: "apirequests", table: TableName(schema: "public", name: "apirequests"))]
    package var retention = Retention()
    package var idempotency = Idempotency()
    package var delivery = Delivery()
    package var ingest = Ingest()
    package var ops = Ops()
    package var read = Read()
    package var log = Log()

    package init() {}
}

extension ForebayConfiguration {
    /// `retention:`, what stays on disk after it is committed.
    package struct Retention: Hashable, Sendable {
        package enum RequiredReplicas: Hashable, Sendable {
            /// Every configured node but the primary.
            case all
            /// Committed on the primary is enough to trim.
            case primaryOnly
            /// That many of the configured nodes besides the primary.
            case atLeast(Int)
        }

        package enum OnRestore: String, Hashable, Sendable, CaseIterable {
            /// The lane waits for `forebay lanes resume`.
            case hold
            /// What is still on disk is sent again without being asked.
            case replay
        }

        package enum OnLostReplica: String, Hashable, Sendable, CaseIterable {
            /// When the disk budget is used up, what the primary alone holds is trimmed, so that ingest goes on.
            case degrade
            /// It is kept, and new events are refused until the replica is back or is required no more.
            case hold
        }

        package var requiredReplicas = RequiredReplicas.all
        /// How long events stay on disk after they are replicated.
        package var minAge = Duration.seconds(60)
        /// How much of each lane stays on disk after it is replicated.
        package var minBytes = ByteCount.zero
        package var onRestore = OnRestore.hold
        package var onLostReplica = OnLostReplica.degrade

        package init() {}
    }

    /// `idempotency:`, how long a key is remembered, and by whom.
    package struct Idempotency: Hashable, Sendable {
        package enum Scope: String, Hashable, Sendable, CaseIterable {
            /// Each proxy remembers the keys of its own requests, durably.
            case proxy
            /// The keys are kept in `forebay.batch_keys`, in the transaction of their rows, for all proxies.
            case database
        }

        package var scope = Scope.proxy
        package var window = Duration.seconds(24 * 3600)
        /// The most keys held in memory; older ones are forgotten early, and counted.
        package var maxKeys = 500_000

        package init() {}
    }

    /// `delivery:`, how rows go from the queue to PostgreSQL.
    package struct Delivery: Hashable, Sendable {
        /// The most rows of one transaction.
        package var maxRows = 20_000
        /// The most bytes of rows in one transaction.
        package var maxBytes = ByteCount(mebibytes: 4)
        /// How long a partial batch may wait for more rows.
        package var maxDelay = Duration.milliseconds(50)
        /// What a flush should take; the size of a batch adapts to it.
        package var targetTime = Duration.milliseconds(250)
        /// The pause after a first failure; it doubles with each further one.
        package var retryMin = Duration.milliseconds(50)
        package var retryMax = Duration.seconds(5)
        /// How long the rows of a parked stream go aside before it is tried again.
        package var parkedFor = Duration.seconds(30)

        package init() {}
    }

    /// `ops:`, the port for operators.
    package struct Ops: Hashable, Sendable {
        package var listen = NetworkAddress(host: "127.0.0.1", port: 8480)

        package init() {}
    }

    /// `log:`, what goes to standard error.
    package struct Log: Hashable, Sendable {
        /// The levels of swift-log, by the same names.
        package enum Level: String, Hashable, Sendable, CaseIterable {
            case trace, debug, info, notice, warning, error, critical
        }

        package enum Format: String, Hashable, Sendable, CaseIterable {
            case text
            /// One JSON object per line.
            case json
        }

        package var level = Level.info
        package var format = Format.text

        package init() {}
    }
}
