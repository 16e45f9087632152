/// What an agent's journal says: which of its events were sent and which acknowledged.
package struct DrillRecord: Hashable, Sendable {
    package var run: String
    package var agent: Int
    package var keys: Bool
    /// Events 1 … sent were sent.
    package private(set) var sent = 0
    /// Acknowledged events; index 0 stands for event 1.
    package private(set) var acknowledged: [Bool] = []

    package enum Fault: Error, Hashable, Sendable {
        case badHeader
        /// The number of the line, counted from 1, that is no entry, or one that does not follow from those before.
        case badLine(Int)
    }

    /// Reads a journal. Bytes after the last line feed are an entry that was not finished, and count for nothing.
    package init(journal: String) throws(Fault) {
        var lines = journal.split(separator: "\n", omittingEmptySubsequences: false)
        lines.removeLast()
        let header = lines.first?.split(separator: " ") ?? []
        guard header.count == 5, header[0] == "forebay-drill", header[1] == "1", DrillID.isRunName(header[2]),
            let agent = Int(header[3]), header[4] == "keys" || header[4] == "no-keys"
        else { throw .badHeader }
        run = String(header[2])
        self.agent = agent
        keys = header[4] == "keys"
        for (index, line) in lines.enumerated().dropFirst() {
            let parts = line.split(separator: " ")
            guard parts.count == 3, let first = Int(parts[1]), let count = Int(parts[2]), first > 0, count > 0 else {
                throw .badLine(index + 1)
            }
            switch parts[0] {
            case "s" where first == sent + 1:
                sent += count
                acknowledged.append(contentsOf: repeatElement(false, count: count))
            case "a" where first + count - 1 <= sent:
                for number in first..<(first + count) {
                    acknowledged[number - 1] = true
                }
            default:
                throw .badLine(index + 1)
            }
        }
    }
}
