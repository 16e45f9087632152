import Testing

@testable import ForebayRuntime

// Each kind of fault with the exact line that an operator reads: place, key, found, expected, remedy.

@Suite struct FaultTests {
    @Test(arguments: FaultExample.shapes + FaultExample.values + FaultExample.relations + FaultExample.trust)
    func eachFaultSaysWhatIsWrong(_ example: FaultExample) {
        #expect(faults(example.yaml, example.environment) == example.expected)
    }

    @Test func allFaultsComeAtOnceInTheOrderOfTheFile() throws {
        let yaml = """
            log: { level: loud }
            queue:
              lanes: 0
              sync: sometimes
            opps: {}
            """
        let error = try #require(throws: ConfigurationFaults.self) { try load(yaml, ["FOREBAY_OPS_LISTEN": "x"]) }
        #expect(error.faults.map(\.key) == ["log.level", "queue.lanes", "queue.sync", "opps", "ops.listen"])
        #expect(error.description.hasPrefix("5 faults in the configuration:\n  forebay.yaml:1:15: log.level: "))
    }

    @Test func aValueThatCannotBeReadIsNotBlamedTwice() {
        // The default budget would be large enough, the one that was meant might not be.
        #expect(faults("queue: { max_bytes: 1GB1, reserve: 65GiB }").count == 1)
    }

    @Test func noFaultShowsASecret() {
        let all = faults("postgres: { writer: { password: hunter2, users: hunter2 }, reader: [hunter2] }\na: [")
        #expect(!all.isEmpty)
        #expect(!all.joined().contains("hunter2"))
    }
}
