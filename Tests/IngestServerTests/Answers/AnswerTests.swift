import NIOCore
import Records
import Testing

@testable import IngestServer

/// Answers as bytes, and their order.
@Suite struct AnswerTests {
    private static let queue = QueueID(high: 0x0011_2233_4455_4677, low: 0x8899_AABB_CCDD_EEFF)

    private func written(_ answer: Answer, _ context: AnswerContext = AnswerContext()) -> String {
        var writer = AnswerWriter()
        writer.setTime(784_111_777)
        var buffer = ByteBuffer()
        _ = writer.write(answer, context, to: &buffer)
        return String(buffer: buffer)
    }

    @Test func theHotAnswer() {
        let last = Position(queue: Self.queue, lane: LaneID(1), offset: Offset(42))
        #expect(
            written(.accepted(Acceptance(count: 1, last: last)))
                == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                + "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 68\r\n\r\n"
                + #"{"accepted":1,"receipt":"00112233-4455-4677-8899-aabbccddeeff.1.42"}"#
        )
    }

    @Test func theAnnouncedLengthIsThatOfTheBody() {
        for count in [0, 1, 9, 10, 99, 100, 123_456_789] {
            for offset in [1, 10, 99_999, UInt64.max] {
                for (isRepeat, missed, refused) in [
                    (false, nil, ""), (true, nil, ""), (false, WaitLevel.committed, ""),
                    (true, .replicated, "\"refused\":1"),
                ] {
                    let last = Position(queue: Self.queue, lane: LaneID(UInt16(count % 70)), offset: Offset(offset))
                    let text = written(
                        .accepted(
                            Acceptance(
                                count: count,
                                last: count == 0 ? nil : last,
                                isRepeat: isRepeat,
                                missed: missed,
                                refused: Array(refused.utf8)
                            )
                        )
                    )
                    let parts = text.split(separator: "\r\n\r\n")
                    #expect(text.contains("Content-Length: \(parts[1].utf8.count)\r\n"))
                }
            }
        }
    }

    @Test func theEndOfAHead() {
        let closing = written(.document("{}"), AnswerContext(omitsBody: true, closes: true))
        #expect(
            closing.hasSuffix("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 2\r\nConnection: close\r\n\r\n")
        )
        #expect(!written(.options(allow: "GET")).contains("Content-Length"))
    }

    @Test func textOfAgentsIsEscapedInProblems() {
        let problem = Problem.unknownStream("a\"\\\n\u{1}\u{7f}é")
        #expect(String(decoding: problem.document, as: UTF8.self).contains(#"no stream \"a\"\\\n\u0001\u007fé\""#))
    }

    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"), (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
        (1_709_251_200, "Fri, 01 Mar 2024 00:00:00 GMT"), (4_102_444_800, "Fri, 01 Jan 2100 00:00:00 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
    ])
    func dates(_ second: Int, _ text: String) {
        #expect(HTTPDate.text(second) == text)
    }

    @Test func answersKeepTheirOrderWhateverTheRingDoes() {
        var answers = OrderedAnswers<Int, String>()
        var taken: [Int] = []
        var open: [UInt64] = []
        for number in 0..<100 {
            open.append(answers.open(number))
            // Every third time all that are open are answered, the last one first.
            guard number % 3 == 2 else { continue }
            #expect(answers.popReady() == nil)
            for sequence in open.reversed() { answers.complete(sequence, with: "\(sequence)") }
            while let (question, answer) = answers.popReady() {
                #expect(answer == "\(question)")
                taken.append(question)
            }
            open = []
        }
        #expect(taken == Array(0..<99))
        #expect(answers.count == 1)
        #expect(answers.changeLast { $0 = 7 } && answers.question(99) == 7)
        answers.complete(3, with: "late")
        answers.complete(200, with: "early")
        #expect(answers.popReady() == nil)
    }
}
