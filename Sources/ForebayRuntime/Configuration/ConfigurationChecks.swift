/// Gathers what is wrong with values that were all read well.
package struct ConfigurationChecks {
    package private(set) var faults: [ConfigurationFault] = []
    package private(set) var warnings: [ConfigurationWarning] = []
    /// Keys that could not be read, so that nothing can be said about them.
    private let skipped: Set<String>

    init(skipping skipped: Set<String>) {
        self.skipped = skipped
    }

    /// - Parameters:
    ///   - key: the key that the fault is reported at.
    ///   - others: keys that the condition looks at too.
    ///   - found: the value, without quotes.
    mutating func expect(
        _ condition: Bool,
        _ key: String,
        with others: [String] = [],
        found: String,
        expected: String,
        remedy: String? = nil
    ) {
        guard !condition, !([key] + others).contains(where: isUnread) else { return }
        faults.append(ConfigurationFault(key: key, found: found, expected: expected, remedy: remedy))
    }

    mutating func warn(if condition: Bool, _ key: String, _ text: String) {
        guard condition, !isUnread(key) else { return }
        warnings.append(ConfigurationWarning(key: key, text: text))
    }

    /// The key, a part of it, or the section around it could not be read.
    private func isUnread(_ key: String) -> Bool {
        let isWithin = { (inner: String, outer: String) in
            inner.hasPrefix(outer) && [".", "["].contains(inner.dropFirst(outer.count).first)
        }
        return skipped.contains { $0 == key || isWithin($0, key) || isWithin(key, $0) }
    }

    mutating func range<Value: Comparable>(
        _ key: String,
        _ value: Value,
        _ range: ClosedRange<Value>,
        spelled: (Value) -> String
    ) {
        expect(
            range.contains(value),
            key,
            found: spelled(value),
            expected: "\(spelled(range.lowerBound)) to \(spelled(range.upperBound))"
        )
    }

    mutating func range(_ key: String, _ value: Int, _ range: ClosedRange<Int>) {
        self.range(key, value, range) { String($0) }
    }

    mutating func range(_ key: String, _ value: Duration, _ range: ClosedRange<Duration>) {
        self.range(key, value, range) { $0.configured }
    }

    mutating func range(_ key: String, _ value: ByteCount, _ range: ClosedRange<ByteCount>) {
        self.range(key, value, range) { $0.description }
    }
}
