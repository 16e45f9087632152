import Delivery
import Testing

/// Method: SQLSTATEs of the manual's appendix A against their class, with and without a COPY to blame; then every code there is, against the
/// promise that nothing is set aside without proof.
struct ErrorClassTests {
    @Test(arguments: [
        ("08006", ErrorClass.connection, ErrorClass.connection),
        ("08P01", .stream, .connection),
        ("25006", .unavailable, .unavailable),
        ("25P02", .unknown, .unknown),
        ("40001", .conflict, .conflict),
        ("40P01", .conflict, .conflict),
        ("53100", .unavailable, .unavailable),
        ("53300", .unavailable, .unavailable),
        ("55P03", .unavailable, .unavailable),
        ("57P01", .unavailable, .unavailable),
        ("57P03", .unavailable, .unavailable),
        ("57014", .unavailable, .unavailable),
        ("58030", .unavailable, .unavailable),
        ("28P01", .unavailable, .unavailable),
        ("3D000", .unavailable, .unavailable),
        ("22003", .poison, .unknown),
        ("22P02", .poison, .unknown),
        ("23505", .poison, .unknown),
        ("23514", .poison, .unknown),
        ("44000", .poison, .unknown),
        ("54000", .poison, .unknown),
        ("P0001", .poison, .unknown),
        ("42P01", .stream, .unknown),
        ("42703", .stream, .unknown),
        ("42501", .stream, .unknown),
        ("42804", .stream, .unknown),
        ("3F000", .stream, .unknown),
        ("0A000", .stream, .unknown),
        ("FB001", .fenced, .fenced),
        ("XX000", .unknown, .unknown),
        ("P0002", .unknown, .unknown),
        ("", .unknown, .unknown),
        ("2", .unknown, .unknown),
    ])
    func aStateHasItsClass(state: String, inCopy: ErrorClass, elsewhere: ErrorClass) {
        #expect(ErrorClass(sqlState: state, namesCopy: true, atCommit: false) == inCopy)
        #expect(ErrorClass(sqlState: state, namesCopy: false, atCommit: false) == elsewhere)
    }

    @Test func aDeferredConstraintSpeaksAtCommit() {
        #expect(ErrorClass(sqlState: "23503", namesCopy: false, atCommit: true) == .poison)
        #expect(ErrorClass(sqlState: "42P01", namesCopy: false, atCommit: true) == .unknown)
    }

    @Test func nothingIsSetAsideWithoutProof() {
        let proven: Set = ["22", "23", "44", "54", "0A", "3F", "42"]
        let characters = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        for first in characters {
            for second in characters {
                let code = "\(first)\(second)"
                for state in [code + "000", code + "001", code + "P01", code + "006"] {
                    let setsAside: Set = [ErrorClass.poison, .stream]
                    let found = ErrorClass(sqlState: state, namesCopy: true, atCommit: true)
                    let isProven = proven.contains(code) || state == "P0001" || state == "08P01"
                    #expect(setsAside.contains(found) == isProven, "\(state)")
                    let blameless = ErrorClass(sqlState: state, namesCopy: false, atCommit: false)
                    #expect(!setsAside.contains(blameless), "\(state)")
                }
            }
        }
    }

    @Test func theFaultSaysWhatIsKnown() {
        let error = ServerError(sqlState: "23505", message: "duplicate key")
        #expect(ErrorClass(DeliveryFault(phase: .sending, cause: .server(error), part: 0)) == .poison)
        #expect(ErrorClass(DeliveryFault(phase: .sending, cause: .server(error))) == .unknown)
        #expect(ErrorClass(DeliveryFault(phase: .committing, cause: .server(error))) == .poison)
        #expect(ErrorClass(DeliveryFault(phase: .committing, cause: .connection("gone"))) == .connection)
    }
}
