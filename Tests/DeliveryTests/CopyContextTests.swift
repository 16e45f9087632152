import Testing

@testable import Delivery

/// Method: contexts as PostgreSQL prints them, and ones that only look like them.
struct CopyContextTests {
    @Test(
        arguments: [
            ("COPY apirequests, line 3", 3),
            ("COPY apirequests, line 3, column status_code", 3),
            ("COPY apirequests, line 12: \"1,2\"", 12),
            ("PL/pgSQL function check_row() line 4 at RAISE\nCOPY apirequests, line 77", 77),
            ("COPY other, line 5\nCOPY apirequests, line 9", 9),
            ("COPY apirequests, line 18446744073709551616", nil),
            ("COPY apirequests, line 0", nil),
            ("COPY apirequests, line ", nil),
            ("COPY apirequests", nil),
            ("COPY other, line 5", nil),
            ("COPY apirequests, ligne 3", nil),
            ("PL/pgSQL function check_row() line 4 at RAISE", nil),
            ("", nil),
        ] as [(String, Int?)]
    )
    func theLineIsRead(context: String, line: Int?) {
        #expect(CopyContext.line(in: context, table: "apirequests") == line)
    }

    @Test func aTableMayBeNamedLikeAContext() {
        #expect(CopyContext.line(in: "COPY t, line 7, line 9", table: "t, line 7") == 9)
    }
}
