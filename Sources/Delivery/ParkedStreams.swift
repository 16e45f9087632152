import Records

/// What goes aside, until when, and what is being tried again: whole streams, or single layouts of them.
struct ParkedStreams: Equatable {
    /// A run of rows that one `COPY` takes.
    struct Source: Hashable {
        var stream: String
        var fingerprint: Fingerprint
    }

    /// What goes aside without an attempt, with the reason of the refusal.
    struct Aside: Equatable {
        var streams: [String: DeadLetter.Reason] = [:]
        var layouts: [Fingerprint: DeadLetter.Reason] = [:]

        func reason(for source: Source) -> DeadLetter.Reason? {
            streams[source.stream] ?? layouts[source.fingerprint]
        }
    }

    private enum Subject: Hashable {
        case stream(String)
        case layout(Source)

        var stream: String {
            switch self {
            case .stream(let name): name
            case .layout(let source): source.stream
            }
        }

        func covers(_ source: Source) -> Bool {
            switch self {
            case .stream(let name): name == source.stream
            case .layout(let parked): parked == source
            }
        }
    }

    private struct Entry: Equatable {
        var until: Duration
        var reason: DeadLetter.Reason
    }

    private let period: Duration
    private var entries: [Subject: Entry] = [:]

    init(period: Duration) {
        self.period = period
    }

    func aside(at now: Duration) -> Aside {
        var aside = Aside()
        for (subject, entry) in entries where now < entry.until {
            switch subject {
            case .stream(let name): aside.streams[name] = entry.reason
            case .layout(let source): aside.layouts[source.fingerprint] = entry.reason
            }
        }
        return aside
    }

    /// The server refused rows whatever they hold. Returns whether what is parked for it was not parked before.
    mutating func park(_ source: Source, reason: DeadLetter.Reason, now: Duration) -> Bool {
        let subject: Subject = Self.isAboutColumns(reason.sqlState) ? .layout(source) : .stream(source.stream)
        return entries.updateValue(Entry(until: now + period, reason: reason), forKey: subject) == nil
    }

    /// The refusal speaks of columns that the layout names, so rows of a newer layout may well pass: no such column, another type.
    private static func isAboutColumns(_ sqlState: String) -> Bool {
        sqlState == "42703" || sqlState == "42804"
    }

    /// All that is parked is tried with the next flush that has rows of it; if it is refused again it is parked again.
    mutating func tryAgain(now: Duration) {
        for subject in entries.keys { entries[subject]?.until = now }
    }

    /// Rows of these have landed. Returns the streams of which something was parked until now and nothing is any more.
    mutating func landed(_ sources: [Source], now: Duration) -> [String] {
        guard !entries.isEmpty else { return [] }
        var streams: [String] = []
        for source in sources {
            // Of another layout whose time is up no rows have come, or they are in a later flush, which will tell.
            let ended = entries.filter { subject, entry in
                subject.covers(source) || subject.stream == source.stream && entry.until <= now
            }
            guard !ended.isEmpty else { continue }
            for subject in ended.keys { entries[subject] = nil }
            if !entries.keys.contains(where: { $0.stream == source.stream }) { streams.append(source.stream) }
        }
        return streams
    }
}
