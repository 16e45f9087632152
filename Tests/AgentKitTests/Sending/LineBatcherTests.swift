import AgentKit
import Testing

/// Method: the same text in pieces of every size must give the same batches; limits and times one by one.
struct LineBatcherTests {
    private func feed(_ text: String, to batcher: inout LineBatcher, at now: Duration = .zero) {
        Array(text.utf8).withUnsafeBytes { batcher.take($0, at: now) }
    }

    private func rest(_ batcher: inout LineBatcher, at now: Duration = .zero) -> [LineBatch] {
        var batches: [LineBatch] = []
        while let batch = batcher.nextBatch(at: now) { batches.append(batch) }
        return batches
    }

    private func bodies(_ batches: [LineBatch]) -> [String] {
        batches.map { String(decoding: $0.body, as: UTF8.self) }
    }

    @Test func cutsTheSameLinesWhereverTheReadsEnd() {
        let text = "{\"a\":1}\n\n{\"b\":\"ü\"}\r\n  \nlonglonglong\n{\"c\":3}\n{\"d\":4}"
        for size in 1...text.utf8.count {
            var batcher = LineBatcher(limits: .init(events: 2, lineBytes: 11, linger: nil))
            let bytes = Array(text.utf8)
            for start in stride(from: 0, to: bytes.count, by: size) {
                bytes[start..<min(bytes.count, start + size)].withUnsafeBytes { batcher.take($0, at: .zero) }
            }
            batcher.end(at: .zero)
            let batches = rest(&batcher)
            #expect(bodies(batches) == ["{\"a\":1}\n{\"b\":\"ü\"}\r\n", "{\"c\":3}\n{\"d\":4}\n"])
            #expect(batches.map(\.lineNumbers) == [[1, 3], [6, 7]])
            #expect(batcher.tooLong == [5])
            #expect(batcher.lineCount == 7)
        }
    }

    @Test func aFullBatchDoesNotWait() {
        var batcher = LineBatcher(limits: .init(events: 2))
        feed("1\n2\n3\n", to: &batcher)
        #expect(bodies(rest(&batcher)) == ["1\n2\n"])
        #expect(batcher.due == .milliseconds(200))
    }

    @Test func aPartialBatchGoesOutAfterItsTime() {
        var batcher = LineBatcher(limits: .init(linger: .milliseconds(200)))
        feed("1\n", to: &batcher, at: .seconds(5))
        feed("2\n", to: &batcher, at: .seconds(5) + .milliseconds(150))
        #expect(batcher.nextBatch(at: .seconds(5) + .milliseconds(199)) == nil)
        #expect(batcher.nextBatch(at: .seconds(5) + .milliseconds(200))?.lineNumbers == [1, 2])
        #expect(batcher.due == nil)
    }

    @Test func anUnfinishedLineWaitsForItsEnd() {
        var batcher = LineBatcher(limits: .init())
        feed("{\"half\"", to: &batcher)
        #expect(batcher.due == nil)
        #expect(batcher.nextBatch(at: .seconds(60)) == nil)
    }

    @Test func bytesLimitABatch() {
        var batcher = LineBatcher(limits: .init(bytes: 10, linger: nil))
        feed("aaaa\nbbbb\ncccc\n0123456789abc\ndd\n", to: &batcher)
        batcher.end(at: .zero)
        #expect(bodies(rest(&batcher)) == ["aaaa\nbbbb\n", "cccc\n", "0123456789abc\n", "dd\n"])
    }

    @Test func stoppingDropsTheUnfinishedLineOnly() {
        var batcher = LineBatcher(limits: .init())
        feed("1\n2", to: &batcher)
        batcher.stop()
        #expect(bodies(rest(&batcher)) == ["1\n"])
    }

    @Test func halvesKeepLinesAndOrder() throws {
        let batch = LineBatch(body: Array("a\nb\nc\n".utf8), lineNumbers: [4, 6, 7])
        let (first, second) = try #require(batch.halves)
        #expect(bodies([first, second]) == ["a\n", "b\nc\n"])
        #expect(first.lineNumbers == [4] && second.lineNumbers == [6, 7])
        #expect(first.halves == nil)
    }

    @Test func aLineWithoutEndIsHeldInBoundedMemory() {
        var batcher = LineBatcher(limits: .init(lineBytes: 100, linger: nil))
        for _ in 0..<10_000 { feed("0123456789", to: &batcher) }
        feed("\nnext\n", to: &batcher)
        batcher.end(at: .zero)
        #expect(batcher.tooLong == [1])
        #expect(bodies(rest(&batcher)) == ["next\n"])
    }
}
