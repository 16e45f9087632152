// Method: a real cluster, the real proxy with two streams, and the table of one of them away when the proxy starts.

import Foundation
import ProvingGround
import Testing

@Suite(.serialized)
struct HealthTests {
    /// Found by reading: `/healthz` of the ops port failed until the tables of all streams were there, and a supervisor would have started a proxy that took events
    /// anew for ever.
    @Test
    func aStreamWithoutATableKeepsNobodyAlive() throws {
        var plan = Yard.Plan()
        let table = "CREATE TABLE public.readings (id bigint)"
        plan.preparation = table
        plan.streams += "\n  readings: { table: public.readings }"
        let yard = try Yard(plan, programs: try #require(DrillTests.programs).path())
        defer { try? yard.remove() }
        try yard.query("DROP TABLE public.readings")
        try yard.startProxy()
        let event = #"{"time":"2026-01-01T00:00:00Z","service":"a"}"#
        try waitUntil("the other stream takes events", within: 60) {
            yard.ingest.post("/v1/ingest/apirequests", body: event, type: "application/json")?.status == 200
        }
        try yard.waitForDrain(within: 30)
        #expect(yard.ingest.post("/v1/ingest/readings", body: #"{"id":1}"#, type: "application/json")?.status == 503)
        #expect(yard.ingest.get("/healthz")?.status == 200)
        let health = try #require(yard.ops.get("/healthz"))
        #expect(health.status == 200, "\(health.body)")
        let readiness = try #require(yard.ops.get("/readyz"))
        #expect(readiness.status == 503)
        #expect(readiness.body.hasPrefix("streams: the stream readings is not ready: "), "\(readiness.body)")

        try yard.query(table)
        try yard.query("GRANT SELECT, INSERT ON public.readings TO apm_writer")
        try yard.waitForStreams()
        #expect(yard.ingest.post("/v1/ingest/readings", body: #"{"id":1}"#, type: "application/json")?.status == 200)
    }
}
