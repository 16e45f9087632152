package import IngestFormats
package import Records
import Synchronization

/// The configured streams and, for each whose table is known, the plan by which its events are decoded.
///
/// A plan is replaced when the table's columns changed; requests under way keep the one they began with. Any thread may ask.
package final class StreamRegistry: Sendable {
    package enum Availability: Sendable {
        case ready(DecodePlan)
        /// Configured, but its table has never been read, and PostgreSQL is away or refuses.
        case awaitingTable(reason: String)
        case unknown
    }

    private struct State {
        var plans: [String: DecodePlan] = [:]
        var reasons: [String: String] = [:]
    }

    private let configured: [String: ForebayConfiguration.Stream]
    private let state = Mutex(State())

    package init(_ streams: [ForebayConfiguration.Stream]) {
        configured = Dictionary(uniqueKeysWithValues: streams.map { ($0.name, $0) })
    }

    package var streams: [ForebayConfiguration.Stream] {
        configured.values.sorted { $0.name < $1.name }
    }

    package func availability(of stream: String) -> Availability {
        guard configured[stream] != nil else { return .unknown }
        return state.withLock { state in
            if let plan = state.plans[stream] { return .ready(plan) }
            return .awaitingTable(reason: state.reasons[stream] ?? "its table has not been read yet")
        }
    }

    package func plan(for stream: String) -> DecodePlan? {
        state.withLock { $0.plans[stream] }
    }

    /// The columns of the layout by whose values rows are best sent together, by index; empty if they are to be sent as they came.
    package func grouping(of layout: RowLayout) -> [Int] {
        plan(for: layout.stream)?.schema.grouping(of: layout) ?? []
    }

    /// The streams without a plan, with the reason, by name.
    package var waiting: [(stream: String, reason: String)] {
        state.withLock { state in
            configured.keys.sorted().filter { state.plans[$0] == nil }.map {
                ($0, state.reasons[$0] ?? "its table has not been read yet")
            }
        }
    }

    /// Takes over what the catalogue says of a stream's table. Returns whether that changed anything.
    package func install(_ schema: StreamSchema) throws(PlanFault) -> Bool {
        guard let stream = configured[schema.stream] else { return false }
        if plan(for: schema.stream)?.schema == schema { return false }
        let plan = try DecodePlan(schema: schema, mapping: stream.mapping)
        state.withLock { state in
            state.plans[schema.stream] = plan
            state.reasons[schema.stream] = nil
        }
        return true
    }

    /// Notes why a stream's table could not be read; a plan that is there already stays in use.
    package func note(_ reason: String, for stream: String) {
        state.withLock { $0.reasons[stream] = reason }
    }
}

extension ForebayConfiguration.Stream {
    /// The part of the configuration that decoding needs.
    var mapping: StreamMapping {
        StreamMapping(
            extra: extra,
            rename: Dictionary(uniqueKeysWithValues: rename.map { ($0.field, $0.column) }),
            constants: Dictionary(
                uniqueKeysWithValues: constants.map { ($0.column, LineLogHandler.jsonString($0.value)) }
            )
        )
    }
}
