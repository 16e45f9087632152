import Testing

@testable import ReadProxy

@Suite
struct DeallocationTests {
    @Test(arguments: [
        ("DEALLOCATE _pg3_0", Deallocation.statement("_pg3_0")), ("deallocate prepare Abc ;", .statement("abc")),
        ("DEALLOCATE \"Abc\"", .statement("Abc")), ("DEALLOCATE ALL", .statements),
        ("Deallocate prepare all;", .statements),
        ("DISCARD ALL", .session),
    ])
    func carriedOutHere(text: String, expected: Deallocation) {
        #expect(Deallocation(parsing: text) == expected)
    }

    @Test(arguments: [
        "", "DISCARD PLANS", "DISCARD ALL; SELECT 1", "DEALLOCATE", "DEALLOCATE a b", "DEALLOCATE ;", "SELECT 1",
        "DEALLOCATE '",
        "DEALLOCATE \"", "DEALLOCATE \"\"", "/* a */ DISCARD ALL",
    ])
    func theServers(text: String) {
        #expect(Deallocation(parsing: text) == nil)
    }
}
