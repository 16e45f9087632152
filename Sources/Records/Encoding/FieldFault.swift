/// Why a field's bytes are no value of its type.
struct FieldFault: Error {
    var reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}
