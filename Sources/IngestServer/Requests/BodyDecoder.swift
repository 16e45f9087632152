import IngestFormats
import Records

/// Turns bodies into rows. Owner: an event loop; it keeps a decoder for each plan that the loop has met.
final class BodyDecoder {
    /// More plans than this are not remembered at a time.
    private static let planLimit = 256

    struct Decoded {
        var refused = 0
        /// The members of an answer that tell of refused events; empty if there are none.
        var members: [UInt8] = []
        var bodyDigest: UInt64 = 0
    }

    private let limits: DecodeLimits
    private let inflatedLimit: Int
    private let inflater = Inflater()
    /// The most recently used first.
    private var decoders: [EventDecoder] = []

    init(limits: DecodeLimits, inflatedLimit: Int) {
        self.limits = limits
        self.inflatedLimit = inflatedLimit
    }

    /// Appends the rows of a body to a batch of the request's plan; on a throw the batch is as it was.
    func decode(
        _ sent: UnsafeRawBufferPointer,
        _ request: IngestRequest,
        into batch: RowBatch
    ) throws(Problem) -> Decoded {
        let body = try request.coding.map { (coding) throws(Problem) in try inflate(sent, coding) } ?? sent
        var decoded = Decoded()
        let before = batch.mark
        let report = decoder(for: request.plan)
            .decode(body, format: request.format, onError: request.onError, into: batch)
        if !report.isClean {
            guard request.onError == .skip, report.malformedAt == nil else {
                batch.rewind(to: before)
                throw .badEvents(report)
            }
            decoded.refused = report.refused
            decoded.members = Problem.members(of: report)
        }
        if request.key != nil { decoded.bodyDigest = Digest.body(body) }
        return decoded
    }

    /// The loop's decoder for a plan; one for an older plan of the same stream is dropped.
    func decoder(for plan: DecodePlan) -> EventDecoder {
        if let first = decoders.first, first.plan === plan { return first }
        if let index = decoders.firstIndex(where: { $0.plan === plan }) {
            let found = decoders.remove(at: index)
            decoders.insert(found, at: 0)
            return found
        }
        decoders.removeAll { $0.plan.schema.stream == plan.schema.stream }
        if decoders.count == Self.planLimit { decoders.removeLast() }
        let made = EventDecoder(plan: plan, limits: limits)
        decoders.insert(made, at: 0)
        return made
    }

    private func inflate(
        _ sent: UnsafeRawBufferPointer,
        _ coding: ContentCoding
    ) throws(Problem) -> UnsafeRawBufferPointer {
        do {
            return try inflater.inflate(sent, coding, limit: inflatedLimit)
        } catch {
            switch error {
            case .tooLarge(let limit):
                throw Problem(
                    413,
                    "body-too-large",
                    "Body too large",
                    detail: "The \(coding.rawValue) body inflates to more than \(limit) bytes."
                )
            case .truncated, .damaged, .trailing:
                throw Problem(
                    400,
                    "bad-coding",
                    "Bad content coding",
                    detail: "Content-Encoding is \(coding.rawValue), but \(error)."
                )
            case .outOfMemory:
                throw .unavailable("no-memory", detail: "There is no memory to inflate the body.", retryAfter: 1)
            }
        }
    }
}

extension Problem {
    /// 400: some events can't become rows, and nothing was accepted.
    static func badEvents(_ report: DecodeReport) -> Problem {
        var detail = "Nothing was accepted."
        if let first = report.faults.first { detail = "\(first). " + detail }
        var problem = Problem(400, "bad-events", "Bad events", detail: detail)
        problem.members = members(of: report)
        problem.refusedEvents = report.refused
        return problem
    }

    /// `"refused":n,"errors":[…]`, an error for each of the first faults.
    static func members(of report: DecodeReport) -> [UInt8] {
        var text: [UInt8] = []
        text.append(contentsOf: "\"refused\":\(report.refused),\"errors\":[".utf8)
        for (index, fault) in report.faults.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            text.append(contentsOf: "{\"index\":\(fault.event)".utf8)
            if let column = fault.column {
                text.append(contentsOf: ",\"column\":".utf8)
                JSONText.append(column, to: &text)
            }
            if let field = fault.field, field != fault.column {
                text.append(contentsOf: ",\"field\":".utf8)
                JSONText.append(field, to: &text)
            }
            text.append(contentsOf: ",\"byte\":\(fault.offset),\"reason\":\"\(fault.reason.rawValue)\",\"found\":".utf8)
            JSONText.append(fault.found, to: &text)
            text.append(contentsOf: ",\"expected\":".utf8)
            JSONText.append(fault.expected, to: &text)
            text.append(UInt8(ascii: "}"))
        }
        text.append(UInt8(ascii: "]"))
        return text
    }
}
