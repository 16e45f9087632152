import PostgresWire
import ProvingGround
import Testing

/// Reading one's own writes by name and time, without a receipt.
extension ReadFunctionTests {
    @Test
    func whoWroteReadsThatWithoutAReceipt() throws {
        let writer = try client(FunctionYard.user, password: "first-password")
        let other = try client()
        var stale = 0
        var onReplicas = 0
        for round in 0..<20 {
            _ = try write("named", "/\(round)")
            let sql =
                "SELECT count(*), pg_is_in_recovery() FROM apirequests WHERE service = 'named' AND endpoint = '/\(round)'"
            // First whoever wrote nothing: that it may be stale shows that the check can fail.
            if try other.query(sql)[0][0] == "0" { stale += 1 }
            let own = try writer.query(sql)[0]
            #expect(own[0] == "1")
            if own[1] == "t" { onReplicas += 1 }
        }
        #expect(stale > 0)
        #expect(onReplicas > 0)
        say("20 rounds: \(stale) stale reads by others, none by the writer, \(onReplicas) of whose were on replicas")
    }
}
