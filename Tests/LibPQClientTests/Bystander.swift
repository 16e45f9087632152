import Dispatch
import LibPQClient
import LocalPostgres
import Synchronization

/// The administrator who watches a backend of Forebay's and does something to it at the right moment.
struct Bystander: Sendable {
    /// `application_name` of the backend that is meant.
    let target: String

    /// Waits until the backend waits for a lock, and returns its process id.
    @discardableResult
    func waitUntilBlocked(seconds: Int = 10) throws -> Int64 {
        let administrator = try TestDatabase.administrator()
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            let blocked = try administrator.query(
                "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'",
                [target],
                by: .after(.seconds(5))
            )
            if let process = blocked.rows.first?.integer(0) { return process }
        }
        throw LocalPostgresFault("\(target) did not wait for a lock within \(seconds) s")
    }

    /// Waits until the server has no such backend any more.
    func waitUntilGone(seconds: Int = 10) throws {
        let administrator = try TestDatabase.administrator()
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            let backends = try administrator.query(
                "SELECT 1 FROM pg_stat_activity WHERE application_name = $1",
                [target],
                by: .after(.seconds(5))
            )
            if backends.rows.isEmpty { return }
        }
        throw LocalPostgresFault("\(target) was still there after \(seconds) s")
    }

    /// Ends the backend as soon as it waits for a lock.
    func terminateWhenBlocked() throws {
        let process = try waitUntilBlocked()
        try TestDatabase.administrator().query("SELECT pg_terminate_backend(\(process))", by: .after(.seconds(5)))
    }

    /// Does something on another thread while `body` runs on this one.
    static func meanwhile<Value>(_ work: @escaping @Sendable () throws -> Void, _ body: () throws -> Value) throws
        -> Value
    {
        let done = DispatchGroup()
        done.enter()
        let box = OutcomeBox()
        DispatchQueue.global().async {
            box.set(Result { try work() })
            done.leave()
        }
        let value = Result { try body() }
        done.wait()
        try box.get()
        return try value.get()
    }

    private final class OutcomeBox: Sendable {
        private let outcome = Mutex<Result<Void, any Error>?>(nil)

        func set(_ result: Result<Void, any Error>) {
            outcome.withLock { $0 = result }
        }

        func get() throws {
            try outcome.withLock { $0 }?.get()
        }
    }
}

/// A transaction of the administrator's that holds locks until it is released.
struct Holder {
    private let connection: PostgresConnection

    init(_ sql: String) throws {
        connection = try TestDatabase.administrator()
        try connection.run("BEGIN; \(sql)", by: .after(.seconds(10)))
    }

    func release() throws {
        try connection.run("ROLLBACK", by: .after(.seconds(10)))
    }
}
