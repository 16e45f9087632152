import CLibPQ
import Delivery

extension ServerError {
    /// Reads the diagnostic fields of an error or a notice; nil if the result carries no SQLSTATE, because it was libpq that
    /// failed and not the server.
    init?(result: OpaquePointer) {
        func field(_ code: UnicodeScalar) -> String? {
            PQresultErrorField(result, Int32(code.value)).map { String(cString: $0) }
        }
        guard let sqlState = field("C"), sqlState.utf8.count == 5 else { return nil }
        self.init(
            sqlState: sqlState,
            message: field("M") ?? "",
            detail: field("D"),
            hint: field("H"),
            context: field("W"),
            constraint: field("n"),
            column: field("c")
        )
    }
}
