import Foundation
import Logging
import NIOHTTP1
import Testing

@testable import OpsServer

// Every path over a real connection on loopback, with a backend that answers what the test says.

@Suite struct OpsServerTests {
    @Test func healthFollowsIngestAndReadinessTheStreamsAndThePrimaryToo() async throws {
        let backend = ScriptedBackend()
        try await OpsFixture.run(backend) { ops in
            #expect(try await ops.get("/healthz").status == 200)
            #expect(try await ops.get("/readyz").body == "ok\n")
            #expect(try await ops.head("/healthz").status == 200)

            backend.change { $0.primary = .failed("No node is a primary.") }
            #expect(try await ops.get("/healthz").status == 200)
            let away = try await ops.get("/readyz")
            #expect(away.status == 503 && away.body == "primary: No node is a primary.\n")

            backend.change { $0.streams = .failed("A stream has no table.") }
            #expect(try await ops.get("/healthz").status == 200)
            let both = "streams: A stream has no table.\nprimary: No node is a primary.\n"
            #expect(try await ops.get("/readyz").body == both)

            backend.change { $0.ingest = .failed("The disk is full.") }
            let full = try await ops.get("/healthz")
            #expect(full.status == 503 && full.body == "ingest: The disk is full.\n")
            #expect(try await ops.get("/readyz").body == "ingest: The disk is full.\n\(both)")
        }
    }

    @Test func statusIsTheSnapshotInSnakeCase() async throws {
        let backend = ScriptedBackend(.init(status: .example))
        try await OpsFixture.run(backend) { ops in
            let answer = try await ops.get("/v1/status")
            #expect(answer.status == 200 && answer.type == "application/json")
            #expect(try StatusCoding.decode(StatusSnapshot.self, from: Data(answer.body.utf8)) == .example)
            for key in [
                #""uptime_seconds""#, #""dead_lettered""#, #""unknown-field""#, #""p99""#, #""pid""#,
                #""difference" : 1"#,
            ] {
                #expect(answer.body.contains(key), "\(key) is missing")
            }
        }
    }

    @Test func metricsAreTheSameSnapshot() async throws {
        let backend = ScriptedBackend(.init(status: .example))
        try await OpsFixture.run(backend) { ops in
            let answer = try await ops.get("/metrics")
            #expect(answer.type == "text/plain; version=0.0.4; charset=utf-8")
            #expect(answer.body == StatusSnapshot.example.metrics)
        }
    }

    @Test func thePageIsWholeAndAsksNobodyElse() async throws {
        try await OpsFixture.run(ScriptedBackend()) { ops in
            let answer = try await ops.get("/")
            #expect(answer.type == "text/html; charset=utf-8")
            #expect(answer.body.hasPrefix("<!doctype html>") && answer.body.hasSuffix("</html>"))
            #expect(answer.headers.first(name: "content-security-policy")?.hasPrefix("default-src 'none'") == true)
            #expect(!answer.body.contains("http://") && !answer.body.contains("https://"))
            #expect(!answer.body.contains("innerHTML"))
        }
    }

    @Test func deadLettersAreRetriedAndDiscardedByChoice() async throws {
        let backend = ScriptedBackend()
        try await OpsFixture.run(backend) { ops in
            let retried = try await ops.post("/v1/dlq/retry", #"{"stream":"apirequests"}"#)
            #expect(retried.status == 200 && retried.body.contains(#""letters" : 2"#))
            #expect(try await ops.post("/v1/dlq/discard", #"{"positions":["q.0.1","q.0.2"]}"#).status == 200)
            #expect(try await ops.post("/v1/dlq/retry", #"{"all":true}"#).status == 200)
            #expect(backend.asked == ["retry apirequests", "discard q.0.1 q.0.2", "retry all"])
        }
    }

    @Test(arguments: [
        ("", 400, "The body is not an object such as"), ("{", 400, "The body is not an object such as"),
        ("{}", 400, "Say which letters"), (#"{"all":false}"#, 400, "Say which letters"),
        (#"{"positions":[]}"#, 400, "Say which letters"),
    ])
    func aChoiceThatChoosesNothingDoesNothing(body: String, status: Int, detail: String) async throws {
        let backend = ScriptedBackend()
        try await OpsFixture.run(backend) { ops in
            let answer = try await ops.post("/v1/dlq/discard", body)
            #expect(answer.status == status && answer.type == "application/problem+json")
            #expect(answer.body.contains(detail))
        }
        #expect(backend.asked == [])
    }

    @Test func lanesAreResumedByOrder() async throws {
        let backend = ScriptedBackend()
        try await OpsFixture.run(backend) { ops in
            let replayed = try await ops.post("/v1/lanes/resume", #"{"order":"replay"}"#)
            #expect(replayed.status == 200 && replayed.body.contains(#""lanes" : 1"#))
            #expect(try await ops.post("/v1/lanes/resume", #"{"order":"skip","lane":"q.0"}"#).status == 200)
            #expect(try await ops.post("/v1/lanes/resume", "{}").status == 400)
            #expect(try await ops.post("/v1/lanes/resume", #"{"order":"hold"}"#).status == 400)
        }
        #expect(backend.asked == ["resume replay all", "resume skip q.0"])
    }

    @Test func aPageInABrowserCannotDiscard() async throws {
        let backend = ScriptedBackend()
        try await OpsFixture.run(backend) { ops in
            let all = #"{"all":true}"#
            #expect(try await ops.post("/v1/dlq/discard", all, headers: ["content-type": "text/plain"]).status == 415)
            #expect(try await ops.post("/v1/dlq/discard", all, headers: [:]).status == 415)
            let headers: HTTPHeaders = ["content-type": "application/json", "origin": "http://example.net"]
            let answer = try await ops.post("/v1/dlq/discard", all, headers: headers)
            #expect(answer.status == 403)
        }
        #expect(backend.asked == [])
    }

    @Test(arguments: [
        (OpsFault(.request, "a"), 400), (OpsFault(.missing, "b"), 404), (OpsFault(.unavailable, "c"), 503),
    ])
    func aFaultOfTheBackendIsAnAnswer(fault: OpsFault, status: Int) async throws {
        try await OpsFixture.run(ScriptedBackend(.init(fault: fault))) { ops in
            let answer = try await ops.post("/v1/dlq/retry", #"{"all":true}"#)
            #expect(answer.status == status && answer.body.contains(#""detail" : "\#(fault.message)""#))
        }
    }

    @Test func aBodyThatIsTooLargeIsRefused() async throws {
        try await OpsFixture.run(ScriptedBackend()) { ops in
            let body = #"{"stream":""# + String(repeating: "x", count: 2 << 20) + #""}"#
            let answer = try await ops.post("/v1/dlq/retry", body)
            #expect(answer.status == 413)
        }
    }

    @Test func otherPathsAndMethodsAreNotThere() async throws {
        try await OpsFixture.run(ScriptedBackend()) { ops in
            let (path, method) = (try await ops.get("/v1/nothing"), try await ops.post("/metrics", ""))
            #expect(path.status == 404 && method.status == 404)
        }
    }

    @Test func aPortThatIsTakenIsAnError() async throws {
        try await OpsFixture.run(ScriptedBackend()) { ops in
            let second = OpsServer(port: ops.port, backend: ScriptedBackend(), logger: .init(label: "test"))
            await #expect(throws: (any Error).self) { try await second.run() }
        }
    }
}
