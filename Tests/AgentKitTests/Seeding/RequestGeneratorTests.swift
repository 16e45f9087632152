import AgentKit
import FoundationEssentials
import Testing

/// Method: a golden hash for "equal seeds give equal bytes", and counts over a large sample for what the traffic shall look like.
struct RequestGeneratorTests {
    private static let day = Timestamp(microseconds: 1_767_225_600_000_000)
    private static let dayAfter = Timestamp(microseconds: 1_767_312_000_000_000)

    private func lines(seed: UInt64, count: Int) -> [UInt8] {
        var generator = RequestGenerator(seed: seed, count: count, from: Self.day, to: Self.dayAfter)
        var bytes: [UInt8] = []
        while let request = generator.next() { generator.catalog.appendLine(request, to: &bytes) }
        return bytes
    }

    private func hash(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    @Test func equalSeedsGiveEqualBytesOnEveryMachine() {
        #expect(hash(lines(seed: 1, count: 5000)) == 10_423_444_433_409_130_132)
        #expect(lines(seed: 7, count: 500) == lines(seed: 7, count: 500))
        #expect(lines(seed: 7, count: 500) != lines(seed: 8, count: 500))
    }

    private struct Event: Decodable {
        var time: String
        var service: String
        var endpoint: String
        var method: String
        var statusCode: Int16
        var latencyMs: Double
        var requestBytes: Int32
        var responseBytes: Int32
        var traceId: String
        var clientIp: String
        var userAgent: String
        var tags: [String: Tag]
    }

    private enum Tag: Decodable {
        case text(String)
        case number(Int)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Int.self) {
                self = .number(number)
            } else {
                self = .text(try container.decode(String.self))
            }
        }
    }

    @Test func everyLineIsAnEventOfTheStream() throws {
        let bytes = lines(seed: 11, count: 2000)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        var count = 0
        var before = ""
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let event = try decoder.decode(Event.self, from: Data(line))
            #expect(event.time >= before)
            before = event.time
            #expect(event.traceId.count == 32)
            count += 1
        }
        #expect(count == 2000)
        #expect((300...450).contains(bytes.count / 2000))
    }

    @Test func theReturnedPlaceIsTheTraceID() {
        var generator = RequestGenerator(seed: 2, count: 10, from: Self.day, to: Self.dayAfter)
        var bytes = Array("before".utf8)
        while let request = generator.next() {
            let place = generator.catalog.appendLine(request, to: &bytes)
            #expect(bytes[place - 1] == UInt8(ascii: "\""))
            #expect(bytes[place + 32] == UInt8(ascii: "\""))
            #expect(bytes[..<place].suffix(12).elementsEqual("\"trace_id\":\"".utf8))
        }
    }

    @Test func trafficLooksLikeTraffic() {
        var generator = RequestGenerator(seed: 4, count: 200_000, from: Self.day, to: Self.dayAfter)
        var endpoints = Set<Int>()
        var (client, server, inBurst, failedInBurst) = (0, 0, 0, 0)
        var hours = [Int](repeating: 0, count: 24)
        var latencies: [Int64] = []
        while let request = generator.next() {
            endpoints.insert(request.endpoint)
            client += (400..<500).contains(request.statusCode) ? 1 : 0
            let failed = request.statusCode >= 500
            server += failed ? 1 : 0
            if generator.isBurst(service: generator.catalog.endpoints[request.endpoint].service, at: request.time) {
                inBurst += 1
                failedInBurst += failed ? 1 : 0
            }
            hours[Int((request.time.microseconds - Self.day.microseconds) / 3_600_000_000)] += 1
            latencies.append(request.latencyMicroseconds)
        }
        latencies.sort()
        #expect(generator.catalog.services.count == 40)
        #expect(generator.catalog.endpoints.count == 400)
        #expect(endpoints.count > 390)
        #expect((0.01...0.05).contains(Double(client) / 200_000))
        #expect((0.003...0.03).contains(Double(server) / 200_000))
        // Failures stand in bursts: a third of a burst's requests fail.
        #expect((0.25...0.45).contains(Double(failedInBurst) / Double(inBurst)))
        // Day and night.
        #expect(hours[11] > 4 * hours[3])
        // The tail is long: one in a thousand takes more than fifty times as long as the middle one.
        #expect(latencies[199_800] > 50 * latencies[100_000])
        #expect((2_000...20_000).contains(latencies[100_000]))
    }

    @Test func eventsStayInTheirRange() {
        for span in [1, 1000, 3_600_000_000, 40 * 86_400_000_000] as [Int64] {
            let end = Timestamp(microseconds: Self.day.microseconds + span)
            var generator = RequestGenerator(seed: 6, count: 300, from: Self.day, to: end)
            var last = Self.day
            while let request = generator.next() {
                #expect(request.time >= last && request.time <= end)
                last = request.time
            }
        }
    }
}
