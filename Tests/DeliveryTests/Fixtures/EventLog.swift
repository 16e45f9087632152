import Delivery
import Records

/// Keeps every event, so that a test compares them.
final class EventLog: DeliveryObserver {
    private(set) var events: [DeliveryEvent] = []

    func observe(_ event: DeliveryEvent, of lane: LaneKey) {
        events.append(event)
    }

    func count(where matches: (DeliveryEvent) -> Bool) -> Int {
        events.count(where: matches)
    }
}
