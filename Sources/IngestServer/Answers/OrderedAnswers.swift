/// What one connection asked, and the answers in the order of the questions, whatever the order they are ready in
/// (for HTTP: RFC 9112, section 9.3.2).
///
/// Pure. A ring that is used again and again: no allocation per question once it has grown to the depth a peer uses.
struct OrderedAnswers<Question, Answer> {
    private struct Slot {
        var question: Question?
        var answer: Answer?
    }

    private var slots: [Slot] = [Slot(), Slot()]
    /// Sequence numbers of the first open question, and of the next one.
    private var first: UInt64 = 0
    private var next: UInt64 = 0

    /// Questions whose answers were not taken yet.
    var count: Int { Int(next - first) }

    /// Notes a question; its answer is due after those of all before it. Returns its sequence number.
    mutating func open(_ question: Question) -> UInt64 {
        if count == slots.count { grow() }
        let sequence = next
        next += 1
        slots[index(sequence)].question = question
        return sequence
    }

    /// Sets the answer of a question. One that is not open any more is let pass: its connection has given up on it.
    mutating func complete(_ sequence: UInt64, with answer: Answer) {
        guard sequence >= first, sequence < next else { return }
        slots[index(sequence)].answer = answer
    }

    /// Takes the answer that is due, if it is ready.
    mutating func popReady() -> (question: Question, answer: Answer)? {
        guard first < next else { return nil }
        let index = index(first)
        guard let question = slots[index].question, let answer = slots[index].answer else { return nil }
        slots[index] = Slot()
        first += 1
        return (question, answer)
    }

    /// An open question.
    func question(_ sequence: UInt64) -> Question? {
        sequence >= first && sequence < next ? slots[index(sequence)].question : nil
    }

    /// Changes the last question, if one is open; false if none is.
    mutating func changeLast(_ change: (inout Question) -> Void) -> Bool {
        guard first < next, var question = slots[index(next - 1)].question else { return false }
        change(&question)
        slots[index(next - 1)].question = question
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
