import Records

/// Finds the first bad row of a refused flush: by the line that the server named, else by halving.
///
/// A search begins at the refusal of a flush of several rows, and ends when a flush of one row is refused (that row is bad), or when the
/// suspected rows have all landed (it was another row's, or another session's, doing).
struct PoisonSearch: Equatable {
    private enum State: Equatable {
        case idle
        /// The server named `row`; next the rows before it are sent. To `suspecting` when they land, to `halving` when they are refused.
        case leading(row: Offset)
        /// The rows before `row` have landed; next it is sent alone. To `idle` either way.
        case suspecting(row: Offset)
        /// A bad row is among the next `rows` rows, which end at `through`. To itself with fewer rows, to `idle` from one.
        case halving(rows: Int, through: Offset)
    }

    /// What the next flush may take.
    struct Limit: Equatable {
        var rows: Int
        var through: Offset
    }

    private var state = State.idle

    var isActive: Bool { state != .idle }

    /// The limit of the next flush, which begins after `position`; nil if no search is going on.
    func limit(maximumRows: Int) -> Limit? {
        switch state {
        case .idle: nil
        case .leading(let row): Limit(rows: maximumRows, through: Offset(row.rawValue - 1))
        case .suspecting(let row): Limit(rows: 1, through: row)
        case .halving(let rows, let through): Limit(rows: max(1, rows / 2), through: through)
        }
    }

    /// A flush of `rows` rows, from `first` to `last`, was refused for one of them, perhaps for `named`.
    ///
    /// - Returns: the row that is condemned: the only one of the flush.
    mutating func refused(rows: Int, first: Offset, last: Offset, named: Offset?) -> Offset? {
        if rows == 1 {
            state = .idle
            return first
        }
        switch state {
        case .idle:
            if let named, first <= named, named <= last {
                state = named == first ? .suspecting(row: named) : .leading(row: named)
            } else {
                state = .halving(rows: rows, through: last)
            }
        // The line was not to be believed, so no further line is, until this row is found: it bounds the search by the logarithm.
        case .leading, .suspecting, .halving:
            state = .halving(rows: rows, through: last)
        }
        return nil
    }

    /// The ledger has passed everything up to `position`, with `rows` rows of the last flush.
    mutating func landed(rows: Int, position: Offset) {
        switch state {
        case .idle: break
        case .leading(let row):
            if position >= row {
                state = .idle
            } else if position.rawValue + 1 == row.rawValue {
                state = .suspecting(row: row)
            }
        case .suspecting(let row):
            if position >= row { state = .idle }
        case .halving(let suspected, let through):
            state =
                position >= through || rows >= suspected
                ? .idle : .halving(rows: suspected - rows, through: through)
        }
    }

    /// The ledger is somewhere else altogether; the search begins anew when the row is met again.
    mutating func reset() {
        state = .idle
    }
}
