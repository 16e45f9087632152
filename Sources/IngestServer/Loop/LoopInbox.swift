import NIOCore
import Records
import Synchronization

/// What other threads have to tell an event loop: collected, and handed over with one wake-up however much it is.
///
/// Any thread posts; the loop empties it.
final class LoopInbox: AppendSink {
    struct Mail {
        var appends: [(token: UInt64, outcome: AppendOutcome)] = []
        var waits: [(token: UInt64, outcome: WaitOutcome)] = []

        var isEmpty: Bool { appends.isEmpty && waits.isEmpty }
    }

    private let eventLoop: any EventLoop
    private let mail = Mutex(Mail())
    private let open: @Sendable () -> Void

    /// - Parameter open: run on the loop when there is mail.
    init(eventLoop: any EventLoop, open: @escaping @Sendable () -> Void) {
        self.eventLoop = eventLoop
        self.open = open
    }

    func appendsDidFinish(_ results: [(token: UInt64, outcome: AppendOutcome)]) {
        guard !results.isEmpty else { return }
        post { $0.appends.append(contentsOf: results) }
    }

    func waitDidEnd(_ token: UInt64, _ outcome: WaitOutcome) {
        post { $0.waits.append((token, outcome)) }
    }

    /// Swaps the mail for `emptied`, whose memory is used again.
    func empty(into emptied: inout Mail) {
        mail.withLock { swap(&$0, &emptied) }
    }

    private func post(_ add: (inout Mail) -> Void) {
        let isFirst = mail.withLock { mail in
            let wasEmpty = mail.isEmpty
            add(&mail)
            return wasEmpty
        }
        if isFirst { eventLoop.execute(open) }
    }
}
