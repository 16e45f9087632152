import NIOCore

/// The answers of one connection, given out in the order of their requests whatever the order they are ready in
/// (RFC 9112, section 9.3.2).
///
/// Pure. A ring that is used again and again: no allocation per request once it has grown to the depth a peer uses.
struct AnswerQueue {
    private struct Slot {
        var answer: Answer?
        var context = AnswerContext()
        /// When the last byte of the request was there; nil for requests whose latency says nothing.
        var received: NIODeadline?
    }

    struct Ready {
        var answer: Answer
        var context: AnswerContext
        var received: NIODeadline?
    }

    private var slots: [Slot] = [Slot(), Slot()]
    /// Sequence numbers of the first open answer, and of the next request.
    private var first: UInt64 = 0
    private var next: UInt64 = 0

    /// Requests that are not answered yet.
    var count: Int { Int(next - first) }

    /// Notes a request; its answer is due after those of all requests before it. Returns its sequence number.
    mutating func open(_ context: AnswerContext, received: NIODeadline?) -> UInt64 {
        if count == slots.count { grow() }
        let sequence = next
        next += 1
        slots[index(sequence)] = Slot(answer: nil, context: context, received: received)
        return sequence
    }

    /// Sets the answer of a request. One that is not open any more is let pass: its connection has given up on it.
    mutating func complete(_ sequence: UInt64, with answer: Answer) {
        guard sequence >= first, sequence < next else { return }
        slots[index(sequence)].answer = answer
    }

    /// Takes the answer that is due, if it is ready.
    mutating func popReady() -> Ready? {
        guard first < next else { return nil }
        let index = index(first)
        guard let answer = slots[index].answer else { return nil }
        slots[index].answer = nil
        first += 1
        return Ready(answer: answer, context: slots[index].context, received: slots[index].received)
    }

    /// Makes the last open answer the connection's last; false if none is open.
    mutating func closeAfterLast() -> Bool {
        guard first < next else { return false }
        slots[index(next - 1)].context.closes = true
        return true
    }

    private func index(_ sequence: UInt64) -> Int {
        Int(sequence & UInt64(slots.count - 1))
    }

    private mutating func grow() {
        var larger: [Slot] = []
        larger.reserveCapacity(slots.count * 2)
        for _ in 0..<slots.count * 2 { larger.append(Slot()) }
        for sequence in first..<next {
            larger[Int(sequence & UInt64(larger.count - 1))] = slots[index(sequence)]
        }
        slots = larger
    }
}
