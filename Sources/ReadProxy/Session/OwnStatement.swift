/// A statement that Forebay carries out by itself; no server sees it.
enum OwnStatement: Equatable {
    case setting(OwnSetting)
    case report(OwnReport)

    /// - Parameter text: one statement.
    init(parsing text: String) throws(OwnSetting.Fault) {
        var words = SimpleWords.of(text)
        if words.last == ";" { words.removeLast() }
        if words.count == 2, words[0].lowercased() == "show", let report = OwnReport(setting: words[1].lowercased()) {
            self = .report(report)
        } else {
            self = .setting(try OwnSetting(parsing: text))
        }
    }

    /// Nil if the statement returns no rows.
    var columns: [OwnTable.Column]? {
        switch self {
        case .setting(.set): nil
        case .setting(.show): [.init(OwnSetting.name, .text)]
        case .report(let report): report.columns
        }
    }
}

/// What `SHOW forebay.<name>` tells of. The columns are described in <doc:ReadPort>.
enum OwnReport: String, CaseIterable {
    case nodes, pools, clients, stats

    static let prefix = "forebay."

    /// - Parameter name: in lower case, as in `forebay.nodes`.
    init?(setting name: String) {
        guard name.hasPrefix(Self.prefix) else { return nil }
        self.init(rawValue: String(name.dropFirst(Self.prefix.count)))
    }

    var columns: [OwnTable.Column] {
        switch self {
        case .nodes:
            [
                .init("node", .text), .init("standing", .text), .init("in_recovery", .flag), .init("timeline", .number),
                .init("position", .text), .init("lag_seconds", .real), .init("is_receiving", .flag),
            ]
        case .pools:
            [
                .init("node", .text), .init("mode", .text), .init("size", .number), .init("in_use", .number),
                .init("idle", .number), .init("opened", .number), .init("failed", .number),
            ]
        case .clients:
            [
                .init("pid", .number), .init("user", .text), .init("address", .text),
                .init("application_name", .text), .init("tls", .flag), .init("state", .text), .init("node", .text),
                .init("pinned", .flag), .init("connected_seconds", .real), .init("idle_seconds", .real),
                .init("after", .text),
            ]
        case .stats: [.init("name", .text), .init("value", .number)]
        }
    }
}
