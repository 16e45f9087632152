/// A directory: the names that processes see, those that last, and what happened in between, in order.
final class DiskDirectory {
    enum Entry {
        case file(DiskNode)
        case directory(DiskDirectory)
    }

    /// A rename from one directory into another, a change in each of them: it lasts in both or in neither.
    final class Move {
        /// Nil until a sync or a power cut has settled it.
        var lasts: Bool?
    }

    private struct Change {
        var name: String
        var entry: Entry?
        var move: Move?
    }

    private(set) var names: [String: Entry] = [:]
    private var synced: [String: Entry] = [:]
    private var changes: [Change] = []

    subscript(_ name: String) -> Entry? { names[name] }

    func set(_ name: String, _ entry: Entry?, _ move: Move? = nil) {
        names[name] = entry
        changes.append(Change(name: name, entry: entry, move: move))
    }

    func sync() {
        guard !changes.isEmpty else { return }
        synced = names
        for change in changes { change.move?.lasts = true }
        changes.removeAll(keepingCapacity: true)
    }

    /// The power goes: of the changes since the last sync some first ones have lasted. Returns whether any has not.
    func lose(_ random: inout SplitMix) -> Bool {
        guard !changes.isEmpty else { return false }
        let (fewest, most) = bounds
        let kept = fewest + random.below(most - fewest + 1)
        let hasLost = kept < changes.count
        keep(kept)
        return hasLost
    }

    /// The power goes: nothing that was not synced has lasted.
    func loseAll() {
        keep(bounds.fewest)
    }

    /// How many of the changes have lasted at least, and at most, by what the other directories of their moves have settled.
    private var bounds: (fewest: Int, most: Int) {
        let fewest = changes.lastIndex { $0.move?.lasts == true }.map { $0 + 1 } ?? 0
        return (fewest, max(fewest, changes.firstIndex { $0.move?.lasts == false } ?? changes.count))
    }

    private func keep(_ count: Int) {
        for (index, change) in changes.enumerated() {
            let lasts = change.move?.lasts ?? (index < count)
            change.move?.lasts = lasts
            if lasts { synced[change.name] = change.entry }
        }
        names = synced
        changes.removeAll(keepingCapacity: true)
    }
}
