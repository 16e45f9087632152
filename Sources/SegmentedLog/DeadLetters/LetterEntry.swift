import Records

/// What became of a letter.
package enum LetterVerdict: UInt8, Hashable, Sendable, CaseIterable {
    /// Its rows are in the queue again, as new events.
    case retried = 1
    /// An operator gave them up.
    case discarded = 2
}

/// The number of a letter, counted from 1 over all files of a store.
package typealias LetterID = UInt64

/// No store lives to number so many letters: in a file it is damage.
let highestID = LetterID.max / 2

/// One entry of a frame, without rows. Format: "Dead-letter format", section "Entries".
enum LetterEntry: Hashable, Sendable {
    /// `rowBytes` of the frame's rows are this letter's; `letter.bytes` is empty.
    case letter(LetterID, DeadLetter, rowBytes: Int)
    case verdict(LetterVerdict, [LetterID], time: Int64)
    case mark(LetterID, LaneKey, ClosedRange<Offset>, LetterVerdict)

    func encode(into writer: inout LetterBytesWriter) {
        switch self {
        case .letter(let id, let letter, let rowBytes):
            Self.encodeHead(
                tag: 1,
                second: letter.kind.rawValue,
                rowBytes: rowBytes,
                id: id,
                lane: letter.lane,
                first: letter.first,
                count: letter.count,
                into: &writer
            )
            writer.write(letter.fingerprint.rawValue)
            writer.write(letter.time)
            writer.write(text: letter.stream)
            writer.write(text: letter.reason.sqlState)
            writer.write(text: letter.reason.message)
            writer.write(text: letter.reason.detail)
            writer.write(text: letter.reason.constraint)
            writer.write(text: letter.reason.column)
        case .verdict(let verdict, let ids, let time):
            writer.write(UInt8(2))
            writer.write(verdict.rawValue)
            writer.write(UInt16(0))
            writer.write(UInt32(ids.count))
            writer.write(time)
            for id in ids { writer.write(id) }
        case .mark(let id, let lane, let range, let verdict):
            Self.encodeHead(
                tag: 3,
                second: verdict.rawValue,
                rowBytes: 0,
                id: id,
                lane: lane,
                first: range.lowerBound,
                count: range.lowerBound.distance(to: range.upperBound) + 1,
                into: &writer
            )
        }
    }

    /// The 48 bytes that letters and marks have in common.
    private static func encodeHead(
        tag: UInt8,
        second: UInt8,
        rowBytes: Int,
        id: LetterID,
        lane: LaneKey,
        first: Offset,
        count: Int,
        into writer: inout LetterBytesWriter
    ) {
        writer.write(tag)
        writer.write(second)
        writer.write(lane.lane.rawValue)
        writer.write(UInt32(rowBytes))
        writer.write(id)
        writer.write(lane.queue.high)
        writer.write(lane.queue.low)
        writer.write(first.rawValue)
        writer.write(UInt64(count))
    }

    /// Reads one entry; nil if the bytes are none.
    static func decode(_ reader: inout LetterBytesReader) -> LetterEntry? {
        guard let tag = reader.read(UInt8.self), let second = reader.read(UInt8.self) else { return nil }
        switch tag {
        case 1: return decodeLetter(second, &reader)
        case 2: return decodeVerdict(second, &reader)
        case 3:
            guard let verdict = LetterVerdict(rawValue: second), let head = Head(&reader) else { return nil }
            return .mark(head.id, head.lane, head.range, verdict)
        default: return nil
        }
    }

    private struct Head {
        var lane: LaneKey
        var rowBytes: Int
        var id: LetterID
        var range: ClosedRange<Offset>
        var count: Int

        init?(_ reader: inout LetterBytesReader) {
            guard let lane = reader.read(UInt16.self), let rowBytes = reader.read(UInt32.self),
                let id = reader.read(UInt64.self), let high = reader.read(UInt64.self),
                let low = reader.read(UInt64.self), let first = reader.read(UInt64.self),
                let count = reader.read(UInt64.self)
            else { return nil }
            let (end, overflow) = first.addingReportingOverflow(count)
            guard id > 0, id < highestID, first > 0, count > 0, !overflow, Offset(end) <= .unreachable else {
                return nil
            }
            self.lane = LaneKey(queue: QueueID(high: high, low: low), lane: LaneID(lane))
            self.rowBytes = Int(rowBytes)
            self.id = id
            self.range = Offset(first)...Offset(end - 1)
            self.count = Int(count)
        }
    }

    private static func decodeLetter(_ kind: UInt8, _ reader: inout LetterBytesReader) -> LetterEntry? {
        guard let kind = DeadLetter.Kind(rawValue: kind), let head = Head(&reader),
            let fingerprint = reader.read(UInt64.self), let time = reader.read(Int64.self),
            case .some(.some(let stream)) = reader.readText(),
            case .some(.some(let sqlState)) = reader.readText(),
            case .some(.some(let message)) = reader.readText(),
            case .some(let detail) = reader.readText(),
            case .some(let constraint) = reader.readText(),
            case .some(let column) = reader.readText()
        else { return nil }
        let reason = DeadLetter.Reason(
            sqlState: sqlState,
            message: message,
            detail: detail,
            constraint: constraint,
            column: column
        )
        let letter = DeadLetter(
            lane: head.lane,
            first: head.range.lowerBound,
            count: head.count,
            kind: kind,
            fingerprint: Fingerprint(fingerprint),
            stream: stream,
            reason: reason,
            time: time,
            bytes: []
        )
        return .letter(head.id, letter, rowBytes: head.rowBytes)
    }

    private static func decodeVerdict(_ verdict: UInt8, _ reader: inout LetterBytesReader) -> LetterEntry? {
        guard let verdict = LetterVerdict(rawValue: verdict), reader.skip(2),
            let count = reader.read(UInt32.self), let time = reader.read(Int64.self),
            Int(count) <= reader.remaining / 8
        else { return nil }
        var ids: [LetterID] = []
        ids.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let id = reader.read(UInt64.self), id > 0, id < highestID else { return nil }
            ids.append(id)
        }
        return .verdict(verdict, ids, time: time)
    }
}
