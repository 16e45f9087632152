import Records

/// A request of an agent, over all times that it is sent.
struct Request {
    enum State: Hashable {
        /// No answer has arrived; it may be under way, or on disk.
        case open
        /// The last answer was a refusal or a failure.
        case refused
        case acknowledged(last: Position)
    }

    let number: Int
    let rows: Int
    let isKeyed: Bool
    /// Rows alternate between the streams.
    let isMixed: Bool
    let firstSent: Duration
    var state = State.open
    var attempts = 0
    /// The agent does not send it again.
    var isAbandoned = false
    /// The highest acknowledged offset of the lane when the request was last sent there.
    var floor: Position?

    var isAcknowledged: Bool {
        if case .acknowledged = state { return true }
        return false
    }

    var text: String {
        "request \(number) (\(rows) \(rows == 1 ? "row" : "rows")\(isKeyed ? ", keyed" : ""))"
    }

    /// The key that it carries, with the digest of the body; another digest stands for another body.
    func keyed(otherBody: Bool = false) -> KeyedRequest? {
        guard isKeyed else { return nil }
        let word = SplitMix.mix(UInt64(number))
        return KeyedRequest(
            key: IdempotencyKey(high: UInt64(number), low: word),
            bodyDigest: otherBody ? ~word : word
        )
    }

    func batch() -> RowBatch {
        let batch = RowBatch(layouts: StreamLayouts.shared, capacity: rows * 64)
        for row in 0..<rows {
            let stream = isMixed ? row % 2 : number % 7 == 0 ? 1 : 0
            let event = EventID(request: number, row: row)
            batch.append(event, padding: Int(SplitMix.mix(event.rawValue) % 90), StreamLayouts.fingerprints[stream])
        }
        return batch
    }
}

/// The streams of the world: two tables.
final class StreamLayouts: LayoutSource {
    static let names = ["apirequests", "orders"]
    static let layouts = names.map(EventRows.layout)
    static let fingerprints = layouts.map(\.fingerprint)
    static let shared = StreamLayouts()

    func layout(of fingerprint: Fingerprint) -> RowLayout? {
        Self.layouts.first { $0.fingerprint == fingerprint }
    }
}

extension RowBatch {
    /// Adds a row of ``EventRows``.
    fileprivate func append(_ event: EventID, padding: Int, _ fingerprint: Fingerprint) {
        let bytes = reserve(18 + padding)
        bytes.storeBytes(of: UInt16(2).bigEndian, as: UInt16.self)
        bytes.storeBytes(of: UInt32(8).bigEndian, toByteOffset: 2, as: UInt32.self)
        bytes.storeBytes(of: event.rawValue.bigEndian, toByteOffset: 6, as: UInt64.self)
        bytes.storeBytes(of: UInt32(padding).bigEndian, toByteOffset: 14, as: UInt32.self)
        for place in 0..<padding {
            // Half of the padding compresses.
            bytes.storeBytes(
                of: place % 16 < 8 ? 0x20 : UInt8(truncatingIfNeeded: event.rawValue &* 31 &+ UInt64(place * place)),
                toByteOffset: 18 + place,
                as: UInt8.self
            )
        }
        byteCount += 18 + padding
        endRow(fingerprint)
    }
}
