// Method: one client leaves something on a connection to a node that another kind of client would trip over; then many others look whether they do. Which
// connection a client is given is not its to say, so every look is repeated.

import Foundation
import LocalPostgres
import PostgresWire
import ProvingGround
import Testing

extension ReadPortTests {
    // MARK: Settings

    /// The list of settings does not show those with a dot.
    @Test
    func aSettingWithADotOfTheStartupPacketIsNobodyElses() throws {
        let owner = try client([.init("options", "-c leftovers.tenant=7")])
        for round in 0..<5 {
            _ = try owner.query("SET work_mem = '\(2000 + round)kB'")
            for _ in 0..<10 {
                #expect(try client().query("SELECT current_setting('leftovers.tenant', true)") != [["7"]])
            }
            #expect(try owner.query("SELECT current_setting('leftovers.tenant')") == [["7"]])
        }
    }

    @Test(arguments: [
        "\"leftovers.house\"", "\"leftovers\".\"house\"", "leftovers . house", "leftovers/**/.\"house\"",
        "U&\"leftovers\\002Ehouse\"",
    ])
    func aSettingWithADotIsSeenHoweverItIsWritten(name: String) throws {
        let owner = try client()
        _ = try owner.query("SET \(name) = '7'")
        for _ in 0..<10 {
            #expect(try client().query("SELECT current_setting('leftovers.house', true)") != [["7"]])
        }
        #expect(try owner.query("SELECT current_setting('leftovers.house')") == [["7"]])
    }
}
