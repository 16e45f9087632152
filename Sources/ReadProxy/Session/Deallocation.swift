/// A statement of its own that gives up prepared statements, or the whole session's state. Those that were prepared over the protocol are known by
/// names of ours on the backends, so that the server could not do it.
enum Deallocation: Equatable {
    /// `DEALLOCATE [PREPARE] name`; as the server reads the name.
    case statement(String)
    /// `DEALLOCATE [PREPARE] ALL`.
    case statements
    /// `DISCARD ALL`.
    case session

    /// Nil for any other statement, and for more than one.
    init?(parsing text: String) {
        var words = SimpleWords.of(text)
        if words.last == ";" { words.removeLast() }
        let lower = words.map { $0.lowercased() }
        if lower == ["discard", "all"] {
            self = .session
            return
        }
        guard lower.first == "deallocate" else { return nil }
        let rest = lower.count == 3 && lower[1] == "prepare" ? 2 : 1
        guard lower.count == rest + 1 else { return nil }
        let name = words[rest]
        if lower[rest] == "all" {
            self = .statements
        } else if name.count > 2, name.first == "\"", name.last == "\"" {
            self = .statement(String(name.dropFirst().dropLast()).replacing("\"\"", with: "\""))
        } else if name.first?.isLetter == true || name.first == "_" {
            self = .statement(lower[rest])
        } else {
            return nil
        }
    }

    /// As the server would say that it is done.
    var tag: String {
        switch self {
        case .statement: "DEALLOCATE"
        case .statements: "DEALLOCATE ALL"
        case .session: "DISCARD ALL"
        }
    }
}
