/// Why a text is no value of a type, before anybody knows where the text stands.
enum ValueFault: UInt8, Error {
    case form
    case range
    case fraction
    case hostBits

    var kind: Refusal.Kind {
        switch self {
        case .form: .form
        case .range: .range
        case .fraction: .fraction
        case .hostBits: .hostBits
        }
    }
}
