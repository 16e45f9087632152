import Testing

@testable import Delivery

/// Method: both ends of the jitter at every attempt, and far more attempts than there are bits.
struct BackoffTests {
    @Test func pausesDoubleBetweenTheirBounds() {
        var least = Backoff(first: .milliseconds(50), longest: .seconds(5))
        var most = least
        for attempt in 0..<200 {
            let full = min(.seconds(5), .milliseconds(50) * (1 << min(attempt, 20)))
            #expect(least.pause(random: 0) == full / 2)
            let pause = most.pause(random: .max)
            #expect(full - .microseconds(1) <= pause && pause <= full)
        }
        least.reset()
        #expect(least.pause(random: 0) == .milliseconds(25))
    }
}
