// Method: every form of an address, and the forms that are none.

import Testing
import Topology

struct NodeAddressTests {
    @Test(arguments: [
        ("127.0.0.1:5433", "127.0.0.1", 5433), ("db", "db", 5432), ("[::1]:5432", "::1", 5432), ("[::1]", "::1", 5432),
        ("/var/run/postgresql:5434", "/var/run/postgresql", 5434),
    ])
    func reads(text: String, host: String, port: Int) {
        #expect(NodeAddress(text) == NodeAddress(host: host, port: port))
    }

    @Test(arguments: ["", ":5432", "a:", "a:b", "a:0", "a:65536", "::1", "a,b", "a b:1"])
    func refuses(text: String) {
        #expect(NodeAddress(text) == nil)
    }
}
