import Records

/// One column as the decoder needs it: plain values, so that reading one touches no reference count.
struct ColumnPlan {
    /// What a row has in this column when the event does not give it.
    enum Absence: UInt8 {
        case null
        /// The column is left out of the row's layout, and `defaultBit` set in its variant.
        case defaulted
        case constant
        /// The event is refused: the column is not null and has no default.
        case required
        /// The event is refused: the column has a default, but more columns have one than variants can tell apart.
        case untrackedDefault
    }

    var type: ColumnType
    var absence: Absence
    var notNull: Bool
    /// The one bit that stands for this column in a variant; 0 for a column without a tracked default.
    var defaultBit: UInt64
    /// The most characters of a `varchar(n)`; `Int.max` for no limit.
    var maximumLength: Int
    var numericLimits: Column.NumericLimits?
    /// The field's bytes, length word included; owned by the plan.
    var constant: UnsafeRawBufferPointer
}
