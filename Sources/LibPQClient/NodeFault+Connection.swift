import Delivery
import Topology

extension NodeFault {
    /// Why a node could not be asked. For a connection that was not made libpq has no SQLSTATE, only the server's words, in English unless the server's
    /// `lc_messages` says otherwise; in other words the kind is `other`, and the text says what it was.
    init(_ fault: ConnectionFault) {
        self.init(Self.kind(of: fault), fault.description)
    }

    private static func kind(of fault: ConnectionFault) -> Kind {
        switch fault {
        case .interrupted: return .stopping
        case .noPassword: return .wrongPassword
        case .deadline: return .hung
        case .server(let error): return kind(ofState: error.sqlState)
        case .broken: return .broken
        case .unreachable(let text):
            return words.first { text.contains($0.text) }?.kind ?? .other
        }
    }

    private static func kind(ofState state: String) -> Kind {
        switch state {
        case "28P01": .wrongPassword
        case "28000", "3D000", "42501": .notAllowed
        case "53300": .tooManyConnections
        case "57P01", "57P02", "57P03", "57P05": .refusing
        default: state.hasPrefix("08") ? .broken : .other
        }
    }

    private static let words: [(text: String, kind: Kind)] = [
        ("password authentication failed", .wrongPassword), ("no password supplied", .wrongPassword),
        ("too many clients", .tooManyConnections), ("remaining connection slots", .tooManyConnections),
        ("too many connections", .tooManyConnections),
        ("is starting up", .refusing), ("is shutting down", .refusing), ("in recovery mode", .refusing),
        ("not yet accepting connections", .refusing), ("not accepting connections", .refusing),
        ("no pg_hba.conf entry", .notAllowed), ("does not exist", .notAllowed),
        ("not permitted to log in", .notAllowed),
        // Of a name with several addresses: where one of them refuses and another one hangs, it is the node that hangs.
        ("no answer in time", .hung),
        ("Connection refused", .down), ("No route", .down), ("unreachable", .down), ("could not translate", .down),
        ("No such file", .down), ("timed out", .hung), ("server closed the connection", .broken),
    ]
}
