import Synchronization

@testable import OpsServer

/// A backend that answers what the test says, and remembers what it was asked to do.
final class ScriptedBackend: OpsBackend {
    struct Script {
        var ingest = OpsCheck.passed
        var streams = OpsCheck.passed
        var primary = OpsCheck.passed
        var status = StatusSnapshot()
        var fault: OpsFault?
        var asked: [String] = []
    }

    private let script: Mutex<Script>

    init(_ script: Script = Script()) {
        self.script = Mutex(script)
    }

    func change(_ change: (inout Script) -> Void) { script.withLock { change(&$0) } }
    var asked: [String] { script.withLock(\.asked) }

    func ingestCheck() async -> OpsCheck { script.withLock(\.ingest) }
    func streamsCheck() async -> OpsCheck { script.withLock(\.streams) }
    func primaryCheck() async -> OpsCheck { script.withLock(\.primary) }
    func status() async -> StatusSnapshot { script.withLock(\.status) }

    func retryDeadLetters(_ choice: DeadLetterChoice) async throws(OpsFault) -> DeadLetterReport {
        try act("retry", choice)
    }

    func discardDeadLetters(_ choice: DeadLetterChoice) async throws(OpsFault) -> DeadLetterReport {
        try act("discard", choice)
    }

    func resumeLanes(_ request: LaneResumption) async throws(OpsFault) -> LaneReport {
        let fault = script.withLock { script in
            script.asked.append("resume \(request.order.rawValue) \(request.lane ?? "all")")
            return script.fault
        }
        if let fault { throw fault }
        return LaneReport(lanes: 1)
    }

    private func act(_ verb: String, _ choice: DeadLetterChoice) throws(OpsFault) -> DeadLetterReport {
        let fault = script.withLock { script in
            let what = choice.stream ?? choice.positions?.joined(separator: " ") ?? "all"
            script.asked.append("\(verb) \(what)")
            return script.fault
        }
        if let fault { throw fault }
        return DeadLetterReport(letters: 2)
    }
}
