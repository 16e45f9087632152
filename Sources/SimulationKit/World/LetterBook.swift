import Records
import SegmentedLog

/// What the operator did with which dead letters, as far as the accounts depend on it.
struct LetterBook {
    /// Letters that a retry has been tried with: their rows may be in the queue again.
    var tried: Set<LetterID> = []
    /// Letters that a discard has been ordered for and that nobody knows the fate of, with their events.
    private(set) var doomed: [LetterID: [EventID]] = [:]
    /// Events given up for good.
    private(set) var discarded: [EventID] = []

    /// A discard is about to be ordered.
    mutating func doom(_ id: LetterID, _ events: [EventID]) {
        doomed[id] = events
    }

    /// The discard went well.
    mutating func confirm(_ id: LetterID) {
        discarded += doomed.removeValue(forKey: id) ?? []
    }

    /// After a start it shows what became of the others.
    mutating func settle(_ log: DeadLetterLog) {
        for (id, events) in doomed.sorted(by: { $0.key < $1.key }) where !log.isPending(id) { discarded += events }
        doomed = [:]
    }

    /// The letters that are pending, with their events; nil if they can't be read just now.
    static func pending(_ log: DeadLetterLog, _ disk: SimulatedDisk) -> [(id: LetterID, events: [EventID])]? {
        let wasBystanders = disk.isBystanders
        disk.isBystanders = true
        defer { disk.isBystanders = wasBystanders }
        let reader = DeadLetterReader(directory: ProxySurroundings.letters, files: disk)
        var found: [(id: LetterID, events: [EventID])] = []
        do throws(DeadLetterLogFault) {
            try reader.visit { (record) throws(DeadLetterLogFault) in
                if log.isPending(record.id) {
                    found.append((record.id, EventRows.events(in: try reader.rows(of: record)[...]) ?? []))
                }
                return true
            }
        } catch {
            return nil
        }
        return found
    }
}
