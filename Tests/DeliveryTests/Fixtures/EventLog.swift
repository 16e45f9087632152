import Delivery
import Records

/// Keeps every event, so that a test compares them.
final class EventLog: DeliveryObserver {
    private(set) var events: [DeliveryEvent] = []

    func observe(_ event: DeliveryEvent, of lane: LaneKey) {
        events.append(event)
    }

    /// How often a lane was told to be held.
    var holds: Int { count { if case .held = $0 { true } else { false } } }

    func count(where matches: (DeliveryEvent) -> Bool) -> Int {
        events.count(where: matches)
    }
}
