import Delivery

/// Time that passes when the test, or a fake port, says so.
final class FakeClock: DeliveryClock {
    var now = Duration.zero
    var wallTime: Int64 { 1_700_000_000_000_000 + Int64(now / .microseconds(1)) }
}
