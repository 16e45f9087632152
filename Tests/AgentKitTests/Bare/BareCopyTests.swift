import AgentKit
import Testing

/// Method: where nobody listens; what a real PostgreSQL makes of the rows is for the drills.
struct BareCopyTests {
    @Test func saysWhyItCannotConnect() {
        #expect {
            try BareCopy(connectionString: "host=127.0.0.1 port=1 user=nobody connect_timeout=2", table: "t")
        } throws: { error in
            "\(error)".contains("127.0.0.1")
        }
    }
}
