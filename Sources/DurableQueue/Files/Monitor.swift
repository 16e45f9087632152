import Glibc

/// A value under a lock on whose change threads can wait: a pthread mutex with a condition variable.
///
/// `Synchronization.Mutex` has no condition to wait on, which the lanes' threads need: they sleep until there is work.
package final class Monitor<Value>: @unchecked Sendable {
    // Sendable because `value` is touched only while the mutex is held, and the two primitives never move.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var value: Value

    package init(_ value: sending Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    package func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&value)
    }

    /// Changes the value and wakes one waiter if the body says so.
    package func signal(_ body: (inout Value) -> Bool) {
        pthread_mutex_lock(mutex)
        let wakes = body(&value)
        pthread_mutex_unlock(mutex)
        if wakes { pthread_cond_signal(condition) }
    }

    /// Changes the value and wakes all waiters.
    package func broadcast(_ body: (inout Value) -> Void) {
        broadcastIf { value in
            body(&value)
            return true
        }
    }

    /// Changes the value and wakes all waiters if the body says so.
    package func broadcastIf(_ body: (inout Value) -> Bool) {
        pthread_mutex_lock(mutex)
        let wakes = body(&value)
        pthread_mutex_unlock(mutex)
        if wakes { pthread_cond_broadcast(condition) }
    }

    /// Waits until `body` returns a value, calling it at once and after each wake, or until `deadline`; nil then.
    ///
    /// The body may set another deadline each time, through its second argument.
    package func wait<Result>(
        until deadline: MonotonicTime? = nil,
        _ body: (inout Value, inout MonotonicTime?) -> Result?
    ) -> Result? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        var deadline = deadline
        while true {
            if let result = body(&value, &deadline) { return result }
            if let deadline {
                if deadline <= .now { return nil }
                var time = deadline.systemTime
                pthread_cond_timedwait(condition, mutex, &time)
            } else {
                pthread_cond_wait(condition, mutex)
            }
        }
    }
}
