/// What a proxy remembers of its cluster from one process to the next, so that neither another cluster nor a primary of the past is taken for
/// the primary. The text form is in <doc:Topology>.
package struct ClusterMemory: Hashable, Sendable {
    package var systemIdentifier: UInt64
    /// The highest that a writer was ever seen on.
    package var timeline: Int

    package static let fileName = "CLUSTER"
    static let formatLine = "forebay-cluster 1"
    static let maximumBytes = 4096

    package init(systemIdentifier: UInt64, timeline: Int) {
        self.systemIdentifier = systemIdentifier
        self.timeline = timeline
    }

    /// Why a content could not be read, in words.
    package struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String

        package init(description: String) {
            self.description = description
        }
    }

    package init(decoding bytes: [UInt8]) throws(Fault) {
        guard bytes.count <= Self.maximumBytes else {
            throw Fault(description: "it has \(bytes.count) bytes; expected at most \(Self.maximumBytes)")
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard let first = lines.first, first.hasPrefix("forebay-cluster ") else {
            throw Fault(description: "it does not begin with \"\(Self.formatLine)\"")
        }
        guard first == Self.formatLine else {
            throw Fault(description: "found \"\(first)\"; this version of forebay reads \"\(Self.formatLine)\"")
        }
        guard lines.count == 4, lines[3].isEmpty else {
            throw Fault(description: "expected three lines, each ended by a line feed")
        }
        guard let identifier = Self.number(lines[1], after: "system ", as: UInt64.self), identifier > 0 else {
            throw Fault(description: "the second line is no \"system <identifier>\"")
        }
        guard let timeline = Self.number(lines[2], after: "timeline ", as: UInt32.self), timeline > 0 else {
            throw Fault(description: "the third line is no \"timeline <number>\"")
        }
        self.init(systemIdentifier: identifier, timeline: Int(timeline))
    }

    package var encoded: [UInt8] {
        Array("\(Self.formatLine)\nsystem \(systemIdentifier)\ntimeline \(timeline)\n".utf8)
    }

    private static func number<Number: FixedWidthInteger>(
        _ line: Substring,
        after word: String,
        as: Number.Type
    ) -> Number? {
        guard line.hasPrefix(word) else { return nil }
        let digits = line.dropFirst(word.count)
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Number(digits)
    }
}
