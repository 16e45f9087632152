import Records

/// A statement about `forebay.after`, the only setting that is Forebay's own: one statement, in the simple query protocol.
enum OwnSetting: Equatable {
    /// Reads are to show these positions; none of them is no floor.
    case set([Position])
    case show

    /// Why a statement about a setting of Forebay's is not one of these.
    enum Fault: Error, Equatable {
        /// Not a form that is served.
        case form
        case receipt(String)
        case tooMany(limit: Int)
    }

    static let name = "forebay.after"
    /// Each costs a comparison whenever a node is chosen.
    static let mostReceipts = 64

    /// `SET [SESSION] forebay.after {= | TO} {'receipts' | DEFAULT}`, `RESET forebay.after`, `SHOW forebay.after`.
    init(parsing text: String) throws(Fault) {
        var words = SimpleWords.of(text)
        if words.last == ";" { words.removeLast() }
        let lower = words.map { $0.lowercased() }
        switch lower.first {
        case "show" where lower.count == 2 && lower[1] == Self.name: self = .show
        case "reset" where lower.count == 2 && lower[1] == Self.name: self = .set([])
        case "set":
            let rest = lower.count > 1 && lower[1] == "session" ? 2 : 1
            guard lower.count == rest + 3, lower[rest] == Self.name, lower[rest + 1] == "=" || lower[rest + 1] == "to"
            else { throw .form }
            let value = words[rest + 2]
            if lower[rest + 2] == "default" {
                self = .set([])
            } else {
                guard value.count >= 2, value.first == "'", value.last == "'" else { throw .form }
                self = .set(try Self.positions(String(value.dropFirst().dropLast())))
            }
        default: throw .form
        }
    }

    /// Receipts, separated by commas; spaces around them don't count.
    static func positions(_ text: String) throws(Fault) -> [Position] {
        let parts = text.split(separator: ",").map { part in
            String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        guard parts.count <= mostReceipts else { throw .tooMany(limit: mostReceipts) }
        var positions: [Position] = []
        for part in parts where !part.isEmpty {
            guard let position = Position(receipt: part) else { throw .receipt(part) }
            positions.append(position)
        }
        return positions
    }
}
