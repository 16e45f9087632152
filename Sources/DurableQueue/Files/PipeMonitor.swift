import Glibc

/// Experiment: a monitor whose one waiter is woken through a pipe.
final class PipeMonitor<Value>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value
    private var sleeps = false
    private let reader: Int32
    private let writer: Int32

    init(_ value: sending Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        reader = ends[0]
        writer = ends[1]
    }

    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&value)
    }

    func signal(_ body: (inout Value) -> Bool) {
        pthread_mutex_lock(mutex)
        let wakes = body(&value) && sleeps
        if wakes { sleeps = false }
        pthread_mutex_unlock(mutex)
        if wakes {
            var byte: UInt8 = 0
            _ = write(writer, &byte, 1)
        }
    }

    func wait<Result>(
        until deadline: MonotonicTime? = nil,
        _ body: (inout Value, inout MonotonicTime?) -> Result?
    ) -> Result? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        var deadline = deadline
        while true {
            if let result = body(&value, &deadline) { return result }
            sleeps = true
            pthread_mutex_unlock(mutex)
            var bytes: UInt64 = 0
            _ = read(reader, &bytes, 8)
            pthread_mutex_lock(mutex)
        }
    }
}
