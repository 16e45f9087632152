/// A directory: the names that processes see, those that last, and what happened in between, in order.
final class DiskDirectory {
    enum Entry {
        case file(DiskNode)
        case directory(DiskDirectory)
    }

    private(set) var names: [String: Entry] = [:]
    private var synced: [String: Entry] = [:]
    private var changes: [(name: String, entry: Entry?)] = []

    subscript(_ name: String) -> Entry? { names[name] }

    func set(_ name: String, _ entry: Entry?) {
        names[name] = entry
        changes.append((name, entry))
    }

    func sync() {
        guard !changes.isEmpty else { return }
        synced = names
        changes.removeAll(keepingCapacity: true)
    }

    /// The power goes: of the changes since the last sync some first ones have lasted. Returns whether any has not.
    func lose(_ random: inout SplitMix) -> Bool {
        guard !changes.isEmpty else { return false }
        let kept = random.below(changes.count + 1)
        let hasLost = kept < changes.count
        for change in changes[..<kept] { synced[change.name] = change.entry }
        settle()
        return hasLost
    }

    /// The power goes: nothing that was not synced has lasted.
    func loseAll() {
        settle()
    }

    private func settle() {
        names = synced
        changes.removeAll(keepingCapacity: true)
    }
}
