/// The identity of a drill's event, as it stands in the event's trace id: `<run>-<agent>-<number>`.
package struct DrillID: Hashable, Sendable {
    /// Letters and digits.
    package var run: String
    package var agent: Int
    /// Counted from 1.
    package var number: Int

    package init(run: String, agent: Int, number: Int) {
        self.run = run
        self.agent = agent
        self.number = number
    }

    /// Parses what `description` prints; nil for anything else.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, DrillID.isRunName(parts[0]), let agent = Self.digits(parts[1]),
            let number = Self.digits(parts[2]), number > 0
        else { return nil }
        self.init(run: String(parts[0]), agent: agent, number: number)
    }

    package static func isRunName(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.count <= 32
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
            }
    }

    private static func digits(_ text: some StringProtocol) -> Int? {
        guard (1...15).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            text.utf8.count == 1 || text.utf8.first != 0x30
        else { return nil }
        return Int(text)
    }
}

extension DrillID: CustomStringConvertible {
    package var description: String { "\(run)-\(agent)-\(number)" }
}
