import NIOCore
import Records

/// A connection as its loop sees it. Every call comes on the loop.
protocol LoopConnection: AnyObject {
    /// Where the loop keeps it; the loop's to set.
    var loopIndex: Int { get set }
    /// The number of the connection among all since the start.
    var number: UInt64 { get }
    /// How an append ended. Answers are written when `turnDidEnd` follows.
    func appendDidEnd(_ tag: UInt64, _ outcome: AppendOutcome)
    func waitDidEnd(_ tag: UInt64, _ outcome: WaitOutcome)
    /// All that one wake-up brought has been told.
    func turnDidEnd(_ now: NIODeadline)
    /// The bytes that were waited for; the connection gives them back when it is done with them, closed or not.
    func budgetWasGranted(_ amount: Int, _ now: NIODeadline)
    func checkDeadlines(_ now: NIODeadline)
    /// Takes nothing new, answers what was taken, then closes.
    func drain(_ now: NIODeadline)
    func closeNow()
}
