/// Reads the text exposition format strictly enough to catch a writer's mistakes: each family's HELP and TYPE stand before its
/// samples, no sample comes twice, labels are quoted and escaped, and a histogram is cumulative and ends in `+Inf` = count.
struct Exposition {
    struct Fault: Error {
        var line: Substring
        var reason: String
    }

    /// The last value of each sample name.
    var samples: [String: Double] = [:]
    /// Of every sample, in order.
    var labels: [[String: String]] = []

    init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw Fault(line: "", reason: "the last line has no end") }
        var helped = ""
        var family: (name: String, type: String) = ("", "")
        var families: Set<String> = []
        var seen: Set<Substring> = []
        var lastBucket = 0.0
        for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
            let words = line.split(separator: " ", maxSplits: 3)
            if line.hasPrefix("# HELP "), words.count == 4 {
                helped = String(words[2])
                continue
            }
            if line.hasPrefix("# TYPE ") {
                guard words.count == 4, helped == words[2], families.insert(helped).inserted,
                    ["counter", "gauge", "histogram"].contains(words[3])
                else { throw Fault(line: line, reason: "TYPE must follow the HELP of its family, once") }
                family = (helped, String(words[3]))
                lastBucket = 0
                continue
            }
            let (name, pairs, value) = try Self.sample(line)
            let endings = family.type == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
            guard endings.contains(where: { family.name + $0 == name }) else {
                throw Fault(line: line, reason: "a sample outside of its family")
            }
            guard seen.insert(line.prefix(upTo: line.lastIndex(of: " ")!)).inserted else {
                throw Fault(line: line, reason: "a sample twice")
            }
            if name.hasSuffix("_bucket"), family.type == "histogram" {
                guard value >= lastBucket, pairs["le"] != nil else { throw Fault(line: line, reason: "not cumulative") }
                lastBucket = value
            }
            if name.hasSuffix("_count"), family.type == "histogram", value != lastBucket {
                throw Fault(line: line, reason: "the count is not the last bucket")
            }
            samples[name] = value
            labels.append(pairs)
        }
    }

    private static func sample(_ line: Substring) throws -> (String, [String: String], Double) {
        guard let space = line.lastIndex(of: " "), let value = number(line[line.index(after: space)...]) else {
            throw Fault(line: line, reason: "no value")
        }
        let head = line[..<space]
        guard let brace = head.firstIndex(of: "{") else { return (String(head), [:], value) }
        guard head.last == "}" else { throw Fault(line: line, reason: "labels without an end") }
        var pairs: [String: String] = [:]
        var rest = head[head.index(after: brace)...].dropLast()
        while !rest.isEmpty {
            guard let equals = rest.firstIndex(of: "=") else {
                throw Fault(line: line, reason: "a label without a value")
            }
            let name = String(rest[..<equals])
            rest = rest[rest.index(after: equals)...]
            guard rest.popFirst() == "\"" else { throw Fault(line: line, reason: "a value without quotes") }
            var text = ""
            while let character = rest.popFirst(), character != "\"" {
                guard character == "\\" else {
                    text.append(character)
                    continue
                }
                switch rest.popFirst() {
                case "\\": text.append("\\")
                case "\"": text.append("\"")
                case "n": text.append("\n")
                default: throw Fault(line: line, reason: "an unknown escape")
                }
            }
            pairs[name] = text
            if rest.first == "," { rest.removeFirst() }
        }
        return (String(head[..<brace]), pairs, value)
    }

    private static func number(_ text: Substring) -> Double? {
        switch text {
        case "+Inf": .infinity
        case "-Inf": -.infinity
        case "NaN": .nan
        default: Double(text)
        }
    }
}
