import AgentKit
import Testing

/// Method: scripted replies with the time as an argument; every status has its line.
struct BatchDeliveryTests {
    private let policy = BatchDelivery.Policy(backoff: Backoff(first: .milliseconds(100), most: .seconds(1)))

    private func first(_ reply: IngestReply, policy: BatchDelivery.Policy? = nil) -> BatchDelivery.Action {
        var delivery = BatchDelivery(eventCount: 2, policy: policy ?? self.policy, at: .zero)
        return delivery.replied(reply, at: .seconds(1), spread: 1)
    }

    private func answer(_ status: Int, _ body: String = "", retryAfter: Duration? = nil) -> IngestReply {
        .answer(HTTPAnswer(status: status, retryAfter: retryAfter, body: Array(body.utf8)))
    }

    @Test func anAcknowledgementSettles() {
        let body =
            #"{"accepted":1,"receipt":"r","refused":1,"errors":[{"index":1,"byte":4,"column":"time","reason":"x"}]}"#
        let expected = Acknowledgement(
            accepted: 1,
            receipt: "r",
            refused: 1,
            errors: [RefusedEvent(index: 1, column: "time", reason: "x")]
        )
        #expect(first(answer(200, body)) == .acknowledged(expected))
    }

    @Test(arguments: [408, 425, 429, 500, 502, 503, 504, 599])
    func whatMayPassIsSentAgain(_ status: Int) {
        #expect(
            first(answer(status)) == .resend(after: .milliseconds(100), reason: "the answer was \(status)")
        )
    }

    @Test func aLostAnswerIsSentAgain() {
        #expect(first(.lost(reason: "reset")) == .resend(after: .milliseconds(100), reason: "reset"))
    }

    @Test(arguments: [400, 413, 422])
    func whatIsWrongWithTheEventsIsDivided(_ status: Int) {
        #expect(first(answer(status, "{\"detail\":\"bad\"}")) == .divide(reason: "\(status): bad"))
    }

    @Test(arguments: [204, 301, 401, 403, 404, 405, 415])
    func whatNoResendingMendsStops(_ status: Int) {
        #expect(first(answer(status, "why")) == .stop(reason: "the answer was \(status): why"))
    }

    @Test func a200OfSomebodyElseIsNoAcknowledgement() {
        #expect(first(answer(200, "<html>")) == .stop(reason: "the answer 200 is not Forebay's: <html>"))
    }

    @Test func pausesDoubleUpToTheirBound() {
        var delivery = BatchDelivery(eventCount: 1, policy: policy, at: .zero)
        let pauses = (0..<6).map { _ in delivery.replied(.lost(reason: "x"), at: .zero, spread: 1) }
        let expected = [100, 200, 400, 800, 1000, 1000].map {
            BatchDelivery.Action.resend(after: .milliseconds($0), reason: "x")
        }
        #expect(pauses == expected)
        #expect(delivery.attempts == 7)
    }

    @Test func pausesAreSpread() {
        let backoff = Backoff(first: .milliseconds(100), most: .seconds(10))
        #expect(backoff.pause(after: 1, spread: 0) == .milliseconds(50))
        #expect(backoff.pause(after: .max, spread: 0.5) == .milliseconds(7500))
    }

    @Test func theServersPauseIsKept() {
        #expect(
            first(answer(503, retryAfter: .seconds(7))) == .resend(after: .seconds(7), reason: "the answer was 503")
        )
    }

    @Test func givesUpOnlyAfterItsTime() {
        let limited = BatchDelivery.Policy(backoff: policy.backoff, giveUpAfter: .seconds(2))
        var delivery = BatchDelivery(eventCount: 1, policy: limited, at: .seconds(10))
        #expect(
            delivery.replied(.lost(reason: "x"), at: .seconds(11), spread: 1)
                == .resend(after: .milliseconds(100), reason: "x")
        )
        #expect(delivery.replied(.lost(reason: "y"), at: .seconds(12), spread: 1) == .giveUp(reason: "y"))
    }

    @Test func refusedEventsAreDescribed() {
        let event = RefusedEvent(
            index: 0,
            column: "status_code",
            reason: "wrong type",
            found: "\"x\"",
            expected: "int2"
        )
        #expect(event.text == "column status_code: wrong type, found \"x\", expected int2")
        #expect(RefusedEvent(index: 0).text == "refused")
    }
}
