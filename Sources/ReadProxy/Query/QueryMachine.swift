import PostgresWire

/// The walk over what a client of the read port is told, from its welcome to the end of its only statement. Calls nothing.
///
/// ```
/// entering ──ready──▶ asked ──(columns, rows)──ready──▶ over
///     └────────────fatal error──┴────────────────────────▲
/// ```
struct QueryMachine {
    private enum State {
        case entering
        /// To `over` by ReadyForQuery, with the first error if there was one.
        case asked(Report?)
        case over
    }

    enum Action: Equatable {
        case none
        case columns([BackendMessage.Column])
        case row([[UInt8]?])
        case finish(isCut: Bool)
        case fail(Report)
    }

    private var state = State.entering
    private let limit: Int
    private var rows = 0
    private var isCut = false

    /// - Parameter limit: rows behind this many are dropped.
    init(limit: Int) {
        self.limit = limit
    }

    mutating func handle(_ message: BackendMessage) -> Action {
        switch (state, message) {
        case (.over, _): return .none
        case (.entering, .readyForQuery):
            state = .asked(nil)
            return .none
        case (.entering, .error(let report)):
            state = .over
            return .fail(report)
        case (.asked(let earlier), .error(let report)):
            let first = earlier ?? report
            state = report.isFatal ? .over : .asked(first)
            return report.isFatal ? .fail(first) : .none
        case (.asked(let report), .readyForQuery):
            state = .over
            return report.map { .fail($0) } ?? .finish(isCut: isCut)
        case (.asked, .rowDescription(let columns)): return .columns(columns)
        case (.asked(nil), .dataRow(let values)):
            rows += 1
            if rows > limit {
                isCut = true
                return .none
            }
            return .row(values)
        case (.asked, .copyOutResponse):
            state = .over
            return .fail(Report(.error, "0A000", "COPY is not served here", hint: "Ask with SELECT."))
        case (.entering, _), (.asked, _): return .none
        }
    }

    /// The connection is over.
    mutating func end() -> Action {
        defer { state = .over }
        switch state {
        case .over: return .none
        case .asked(let report?): return .fail(report)
        case .entering, .asked(nil): return .fail(Report(.error, "08006", "the read port ended the connection"))
        }
    }
}
