package import Records
import Synchronization

/// How the events of one stream become rows: its columns, and the names under which events give them.
///
/// Immutable but for the layouts, which are made as rows need them: a row whose event leaves out columns with a default has a
/// layout without those columns. Shared by all event loops; a stream whose table or configuration changed gets a new plan.
package final class DecodePlan: LayoutSource, @unchecked Sendable {
    // Sendable because everything behind the pointers is written in init only, and the layouts are behind a Mutex.

    /// Columns whose default can be left to PostgreSQL row by row; in a table with more, events must give the rest.
    package static let trackedDefaults = 62
    /// Layouts that one plan makes at most: each is kept for good in the queue's catalogue, so events may not make them at will.
    package static let layoutLimit = 1024

    package let schema: StreamSchema
    package let mapping: StreamMapping
    let columns: UnsafeMutablePointer<ColumnPlan>
    let names: NameTable
    /// The index of the column that collects unknown fields; -1 if they are refused.
    let extraColumn: Int
    /// Bytes that the constants add to a row.
    let constantBytes: Int
    /// The layout of rows that carry every column.
    package let fullLayout: Fingerprint
    private let constants: [UnsafeMutableRawBufferPointer]
    private let layouts: Mutex<Layouts>

    private struct Layouts {
        var byVariant: [UInt64: Fingerprint]
        var byFingerprint: [Fingerprint: RowLayout]
    }

    package init(schema: StreamSchema, mapping: StreamMapping = StreamMapping()) throws(PlanFault) {
        guard !schema.columns.isEmpty else { throw .noColumns }
        var indices: [String: Int] = [:]
        for (index, column) in schema.columns.enumerated() {
            indices[column.name] = index
        }
        extraColumn = try Self.extraColumn(mapping, indices, schema)
        let accepted = try Self.acceptedNames(mapping, indices, schema)
        let values = try Self.constantFields(mapping, indices, schema)

        self.schema = schema
        self.mapping = mapping
        names = NameTable(accepted)
        columns = .allocate(capacity: schema.columns.count)
        var kept: [UnsafeMutableRawBufferPointer] = []
        var defaults = 0
        for (index, column) in schema.columns.enumerated() {
            var constant = UnsafeRawBufferPointer(start: nil, count: 0)
            if let bytes = values[index] {
                let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
                copy.copyBytes(from: bytes)
                kept.append(copy)
                constant = UnsafeRawBufferPointer(copy)
            }
            let absence = Self.absence(of: column, isConstant: values[index] != nil, defaultsBefore: defaults)
            (columns + index).initialize(
                to: ColumnPlan(
                    type: column.type,
                    absence: absence,
                    notNull: column.notNull,
                    defaultBit: absence == .defaulted ? 1 << UInt64(defaults) : 0,
                    maximumLength: column.maximumLength ?? .max,
                    numericLimits: column.numericLimits,
                    constant: constant
                )
            )
            if absence == .defaulted {
                defaults += 1
            }
        }
        constants = kept
        constantBytes = kept.reduce(0) { $0 + $1.count }
        let full = schema.layout()
        fullLayout = full.fingerprint
        layouts = Mutex(Layouts(byVariant: [0: full.fingerprint], byFingerprint: [full.fingerprint: full]))
    }

    deinit {
        columns.deallocate()
        names.deallocate()
        for constant in constants {
            constant.deallocate()
        }
    }

    package func layout(of fingerprint: Fingerprint) -> RowLayout? {
        layouts.withLock { $0.byFingerprint[fingerprint] }
    }

    /// The layout of rows without the columns whose bits are set in `omitted`; nil if the plan has made as many as it may.
    func fingerprint(omitting omitted: UInt64) -> Fingerprint? {
        layouts.withLock { layouts in
            if let known = layouts.byVariant[omitted] { return known }
            guard layouts.byVariant.count < Self.layoutLimit else { return nil }
            let layout = schema.layout(
                omitting: Set(schema.columns.indices.filter { columns[$0].defaultBit & omitted != 0 })
            )
            layouts.byVariant[omitted] = layout.fingerprint
            layouts.byFingerprint[layout.fingerprint] = layout
            return layout.fingerprint
        }
    }
}

extension DecodePlan {
    private static func extraColumn(
        _ mapping: StreamMapping,
        _ indices: [String: Int],
        _ schema: StreamSchema
    ) throws(PlanFault) -> Int {
        guard let extra = mapping.extra else { return -1 }
        guard let index = indices[extra] else { throw .extraIsNoColumn(extra) }
        guard schema.columns[index].type == .jsonb else {
            throw .extraIsNotJSONB(column: extra, type: schema.columns[index].type)
        }
        if mapping.constants[extra] != nil { throw .extraIsConstant(column: extra) }
        return index
    }

    /// Every column under its own name, and the renames, which win over a column's own name.
    private static func acceptedNames(
        _ mapping: StreamMapping,
        _ indices: [String: Int],
        _ schema: StreamSchema
    ) throws(PlanFault) -> [(name: String, column: Int)] {
        var names: [(name: String, column: Int)] = []
        for (index, column) in schema.columns.enumerated() where mapping.rename[column.name] == nil {
            names.append((column.name, index))
        }
        for (field, column) in mapping.rename.sorted(by: { $0.key < $1.key }) {
            guard let index = indices[column] else { throw .renameToNoColumn(field: field, column: column) }
            if mapping.constants[column] != nil { throw .renameToConstant(field: field, column: column) }
            names.append((field, index))
        }
        return names
    }

    /// The field bytes of each constant, by column index: the constant is decoded as the only field of an event.
    private static func constantFields(
        _ mapping: StreamMapping,
        _ indices: [String: Int],
        _ schema: StreamSchema
    ) throws(PlanFault) -> [Int: [UInt8]] {
        var fields: [Int: [UInt8]] = [:]
        for (name, text) in mapping.constants.sorted(by: { $0.key < $1.key }) {
            guard let index = indices[name] else { throw .constantForNoColumn(name) }
            var column = schema.columns[index]
            column.name = "value"
            column.hasDefault = false
            let plan = try DecodePlan(
                schema: StreamSchema(stream: schema.stream, table: schema.table, columns: [column])
            )
            let batch = RowBatch(layouts: plan)
            let prefix = "{\"value\":"
            let body = Array((prefix + text + "}").utf8)
            let report = EventDecoder(plan: plan).decode(body, format: .detect, into: batch)
            if var fault = report.faults.first {
                fault.column = name
                fault.field = name
                fault.offset = max(0, fault.offset - prefix.utf8.count)
                throw .constantNotValid(column: name, text: text, fault: fault)
            }
            guard batch.rowCount == 1 else {
                let fault = DecodeFault(
                    event: 1,
                    reason: .malformed,
                    offset: 0,
                    found: text,
                    expected: "one JSON value"
                )
                throw .constantNotValid(column: name, text: text, fault: fault)
            }
            fields[index] = Array(batch.bytes.dropFirst(2))
        }
        return fields
    }

    private static func absence(
        of column: Column,
        isConstant: Bool,
        defaultsBefore: Int
    ) -> ColumnPlan.Absence {
        if isConstant { return .constant }
        if column.hasDefault { return defaultsBefore < trackedDefaults ? .defaulted : .untrackedDefault }
        return column.notNull ? .required : .null
    }
}
