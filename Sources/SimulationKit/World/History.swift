/// What happened in a world, step by step, for a reader. Off unless somebody reads: then it costs nothing.
package final class History {
    package enum Actor: String, Hashable, Sendable {
        case agent
        case proxy
        case disk
        case postgres
        case `operator`
        case world
    }

    package struct Entry: Hashable, Sendable, CustomStringConvertible {
        package var step: Int
        package var actor: Actor
        package var text: String

        package var description: String {
            let number = String(step)
            let name = actor.rawValue
            return String(repeating: " ", count: max(0, 5 - number.count)) + number + "  " + name
                + String(repeating: " ", count: max(1, 10 - name.count)) + text
        }
    }

    package let isOn: Bool
    /// The number of the world's present step.
    package var step = 0
    package private(set) var entries: [Entry] = []

    package init(isOn: Bool) {
        self.isOn = isOn
    }

    package func note(_ actor: Actor, _ text: @autoclosure () -> String) {
        guard isOn else { return }
        entries.append(Entry(step: step, actor: actor, text: text()))
    }
}
