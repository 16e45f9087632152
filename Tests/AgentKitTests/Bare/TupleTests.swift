import AgentKit
import Testing

/// Method: one event in COPY's binary format, field by field against the manual's description; what PostgreSQL makes of it is for
/// the drills with a real one.
struct TupleTests {
    private func fields(_ tuple: [UInt8]) -> [[UInt8]] {
        var rest = tuple.dropFirst(2)
        var fields: [[UInt8]] = []
        while rest.count >= 4 {
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            fields.append(Array(rest.dropFirst(4).prefix(length)))
            rest = rest.dropFirst(4 + length)
        }
        #expect(rest.isEmpty)
        return fields
    }

    private func request(client: APIRequest.ClientAddress) throws -> APIRequest {
        // 2000-01-01T00:00:01Z
        let time = Timestamp(microseconds: 946_684_801_000_000)
        let after = Timestamp(microseconds: time.microseconds + 1)
        var generator = RequestGenerator(seed: 1, count: 1, from: time, to: after)
        let generated = generator.next()
        var request = try #require(generated)
        request.time = time
        request.endpoint = 0
        request.statusCode = 503
        request.latencyMicroseconds = 1500
        request.requestBytes = 258
        request.responseBytes = 0
        request.traceHigh = 0xAB
        request.traceLow = 1
        request.client = client
        request.userAgent = 9
        request.region = 0
        request.release = 7
        request.instance = 2
        request.cached = false
        return request
    }

    @Test func writesEachField() throws {
        let catalog = ServiceCatalog(seed: 1)
        var tuple: [UInt8] = []
        catalog.appendTuple(try request(client: .v4(0x6440_0102)), to: &tuple)
        #expect(tuple.prefix(2) == [0, 12])
        let fields = fields(tuple)
        try #require(fields.count == 12)
        #expect(fields[0] == [0, 0, 0, 0, 0, 0x0F, 0x42, 0x40])
        #expect(fields[1] == Array("gateway".utf8))
        #expect(fields[2] == Array("/v1/sessions".utf8))
        #expect(fields[3] == Array("GET".utf8))
        #expect(fields[4] == [0x01, 0xF7])
        #expect(fields[5] == [0x3F, 0xF8, 0, 0, 0, 0, 0, 0])
        #expect(fields[6] == [0, 0, 1, 2] && fields[7] == [0, 0, 0, 0])
        #expect(fields[8] == Array("00000000000000ab0000000000000001".utf8))
        #expect(fields[9] == [2, 32, 0, 4, 0x64, 0x40, 1, 2])
        #expect(fields[10] == Array("curl/8.10.1".utf8))
        #expect(
            fields[11] == [1] + Array("{\"region\":\"eu-central-1\",\"release\":7,\"instance\":\"gateway-2\"}".utf8)
        )
    }

    @Test func writesIPv6() throws {
        var tuple: [UInt8] = []
        ServiceCatalog(seed: 1).appendTuple(try request(client: .v6(0x1_0000_0000_00FF)), to: &tuple)
        let address: [UInt8] = [3, 128, 0, 16, 0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0xFF]
        #expect(fields(tuple)[9] == address)
    }
}
