import Glibc
import Testing

/// Waits until the condition holds, looking every millisecond, for ten seconds at most.
func eventually(_ comment: Comment? = nil, _ condition: () -> Bool) {
    for _ in 0..<10_000 {
        if condition() { return }
        usleep(1000)
    }
    Issue.record(comment ?? "the condition did not come true")
}
