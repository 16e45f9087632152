import Records
import Testing

@testable import IngestServer

/// Requests over a real connection against a scripted backend; every answer is compared whole.
@Suite struct HTTPIngestTests {
    @Test func anEventIsAcceptedWithItsReceipt() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send(RunningServer.post(#"{"id":1}"#))
            let response = try client.response()
            #expect(response.status == 200)
            #expect(response.body == #"{"accepted":1,"receipt":"00112233-4455-4677-8899-aabbccddeeff.0.1"}"#)
            #expect(running.backend.rowCount == 1)
        }
    }
}
