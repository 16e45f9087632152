import FoundationEssentials
import HTTPTypes

/// An error as RFC 9457 has it, with what PostgreSQL told.
struct QueryProblem: Encodable, Error {
    var title: String
    var status: Int
    var detail: String
    var sqlstate: String?
    var hint: String?
    var position: Int?

    init(_ fault: QueryFault) {
        let status: HTTPResponse.Status =
            switch fault.status {
            case 400: .badRequest
            case 403: .forbidden
            case 503: .serviceUnavailable
            case 504: .gatewayTimeout
            default: .internalServerError
            }
        self.init(status, fault.detail.map { "\(fault.message). \($0)" } ?? fault.message)
        sqlstate = fault.sqlstate
        hint = fault.hint
        position = fault.position
    }

    init(_ status: HTTPResponse.Status, _ detail: String, hint: String? = nil) {
        title = status.reasonPhrase
        self.status = status.code
        self.detail = detail
        self.hint = hint
    }

    /// One line.
    var encoded: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }
}
