import NIOCore

/// Requests rendered before the clock starts, so that sending one costs next to nothing. What must differ from request to
/// request (keys, trace ids, times) has a fixed width and is written over in place.
struct PreparedRequests {
    struct Request {
        var bytes: ByteBuffer
        /// Where the key's 32 digits begin; nil without keys.
        var key: Int?
        /// Where each event's trace id, 32 digits, begins; empty if they stay as generated.
        var traces: [Int]
        /// Where each event's time begins; empty if they stay as generated.
        var times: [Int]
    }

    private var requests: [Request]
    private var turn = 0
    /// The text of the current time; kept for its storage.
    private var time: [UInt8] = []
    let batch: Int
    let bytesPerRequest: Int

    /// Renders about 8 MiB of requests, but not fewer than 4.
    init(plan: LoadPlan) {
        batch = plan.batch
        let count = max(4, min(256, (8 << 20) / (plan.batch * 400)))
        var generator = RequestGenerator(
            seed: plan.seed,
            count: count * plan.batch,
            from: Timestamp(microseconds: plan.eventTime.microseconds - 60 * Timestamp.microsecondsPerSecond),
            to: plan.eventTime
        )
        requests = []
        for _ in 0..<count {
            requests.append(Self.render(plan, &generator))
        }
        bytesPerRequest = requests.reduce(0) { $0 + $1.bytes.readableBytes } / count
    }

    private static func render(_ plan: LoadPlan, _ generator: inout RequestGenerator) -> Request {
        var body: [UInt8] = []
        var traces: [Int] = []
        var times: [Int] = []
        for _ in 0..<plan.batch {
            guard let event = generator.next() else { break }
            // Behind {"time":"
            times.append(body.count + 9)
            traces.append(generator.catalog.appendLine(event, to: &body))
        }
        var head: [UInt8] = []
        let placeholder = String(repeating: "0", count: 32)
        var key: Int?
        switch plan.wire {
        case .http:
            head += Array("POST /v1/ingest/\(plan.stream) HTTP/1.1\r\nHost: \(plan.host):\(plan.port)\r\n".utf8)
            head += Array("Content-Type: application/x-ndjson\r\nContent-Length: \(body.count)\r\n".utf8)
            if let token = plan.token {
                head += Array("Authorization: Bearer \(token)\r\n".utf8)
            }
            if plan.keys {
                head += Array("Idempotency-Key: ".utf8)
                key = head.count
                head += Array("\(placeholder)\r\n".utf8)
            }
            head += Array("\r\n".utf8)
        case .tcp:
            if plan.keys {
                head += Array("{\"forebay\":{\"key\":\"".utf8)
                key = head.count
                head += Array("\(placeholder)\",\"count\":\(plan.batch)}}\n".utf8)
            }
        }
        return Request(
            bytes: ByteBuffer(bytes: head + body),
            key: key,
            traces: plan.uniqueTraces ? traces.map { $0 + head.count } : [],
            times: plan.currentTimes ? times.map { $0 + head.count } : []
        )
    }

    /// The next request.
    ///
    /// - Parameters:
    ///   - run: the first 16 digits of the key and of the trace ids.
    ///   - number: of the request's first event, unique in the run.
    mutating func next(run: UInt64, number: UInt64) -> ByteBuffer {
        turn = turn + 1 < requests.count ? turn + 1 : 0
        let key = requests[turn].key
        let traces = requests[turn].traces
        if !requests[turn].times.isEmpty {
            writeTimes()
        }
        if key != nil || !traces.isEmpty {
            requests[turn].bytes.withUnsafeMutableReadableBytes { bytes in
                if let key {
                    Self.write(run, number, at: key, into: bytes)
                }
                for (index, place) in traces.enumerated() {
                    Self.write(run, number + UInt64(index), at: place, into: bytes)
                }
            }
        }
        return requests[turn].bytes
    }

    private mutating func writeTimes() {
        time.removeAll(keepingCapacity: true)
        Timestamp.now.append(to: &time)
        let places = requests[turn].times
        requests[turn].bytes.withUnsafeMutableReadableBytes { bytes in
            for place in places {
                UnsafeMutableRawBufferPointer(rebasing: bytes[place...]).copyBytes(from: time)
            }
        }
    }

    private static func write(_ high: UInt64, _ low: UInt64, at place: Int, into bytes: UnsafeMutableRawBufferPointer) {
        for index in 0..<32 {
            let word = index < 16 ? high : low
            bytes[place + index] = hexadecimalDigit(word >> UInt64(60 - 4 * (index % 16)))
        }
    }
}
