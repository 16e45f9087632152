/// A line of the TCP protocol that is about the connection: `{"forebay":{…}}`.
package enum ControlLine: Hashable, Sendable {
    /// Who sends, where to, and whether answers are wanted. The first line of a connection, or no line.
    case greeting(Greeting)
    /// The next `count` events have one idempotency key.
    case group(key: String, count: Int)

    package struct Greeting: Hashable, Sendable {
        package var stream: String?
        package var wantsAnswers = false
        package var token: String?

        package init(stream: String? = nil, wantsAnswers: Bool = false, token: String? = nil) {
            self.stream = stream
            self.wantsAnswers = wantsAnswers
            self.token = token
        }
    }

    /// Whether a line begins like a control line: an object whose first member is `forebay`. An event's line can't,
    /// unless its stream has a column of that name; there another member has to stand first.
    package static func isControl(_ line: UnsafeRawBufferPointer) -> Bool {
        var reader = FlatJSONReader(line)
        return reader.take("{") && reader.take("\"forebay\"") && reader.take(":")
    }

    /// Reads a control line; throws what is wrong with it.
    package static func parse(_ line: UnsafeRawBufferPointer) throws(ControlFault) -> ControlLine {
        var reader = FlatJSONReader(line)
        guard reader.take("{"), reader.take("\"forebay\""), reader.take(":") else {
            throw ControlFault("a control line is {\"forebay\":{…}}")
        }
        let members = try reader.object()
        guard reader.take("}"), reader.isAtEnd else {
            throw ControlFault("nothing may follow the object of forebay in its line")
        }
        if members["key"] != nil || members["count"] != nil { return try group(members) }
        var greeting = Greeting()
        for (name, value) in members {
            switch (name, value) {
            case ("stream", .text(let text)): greeting.stream = text
            case ("ack", .bool(let wanted)): greeting.wantsAnswers = wanted
            case ("token", .text(let text)): greeting.token = text
            case ("stream", _), ("token", _): throw ControlFault("\(name) is a string")
            case ("ack", _): throw ControlFault("ack is true or false")
            default:
                throw ControlFault(
                    "there is no member \"\(name.prefix(60))\"; there are stream, ack, token, key and count"
                )
            }
        }
        return .greeting(greeting)
    }

    private static func group(_ members: [String: FlatJSONReader.Value]) throws(ControlFault) -> ControlLine {
        guard members.count == 2, case .text(let key) = members["key"], case .integer(let count) = members["count"]
        else {
            throw ControlFault("an idempotency key is {\"forebay\":{\"key\":\"…\",\"count\":n}}")
        }
        guard 1...255 ~= key.utf8.count, key.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
            throw ControlFault("a key is 1 to 255 visible ASCII characters")
        }
        guard count >= 1 else { throw ControlFault("count is at least 1") }
        return .group(key: key, count: count)
    }
}

/// What is wrong with a control line.
package struct ControlFault: Error, Hashable, Sendable {
    package var reason: String

    package init(_ reason: String) {
        self.reason = reason
    }
}
