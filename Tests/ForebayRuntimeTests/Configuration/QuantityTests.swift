import Testing

@testable import ForebayRuntime

// Sizes, times and addresses at their edges: bounds, overflow, signs, spaces and units.

@Suite struct QuantityTests {
    @Test(arguments: [
        ("0B", 0), ("1B", 1), ("64MiB", 64 << 20), ("64MB", 64_000_000), ("64 MiB", 64 << 20), ("1KiB", 1024),
        ("1KB", 1000),
        ("3TiB", 3 << 40), ("9223372036854775807B", Int.max), ("8388607TiB", 8_388_607 << 40), ("007GiB", 7 << 30),
    ])
    func sizes(text: String, bytes: Int) throws {
        #expect(try ByteCount(configured: text).bytes == bytes)
    }

    @Test(arguments: [
        "", "B", "-1B", "+1B", "1.5GiB", "1e3B", "64  MiB", " 64MiB", "64MiB ", "0x10B", "٣B", "8388608TiB",
        "9223372036854775808B", "99999999999999999999999B", "1PiB", "1b ",
    ])
    func noSizes(text: String) {
        #expect(throws: ConfigurationMismatch.self) { try ByteCount(configured: text) }
    }

    @Test(arguments: [
        ("64", "Write 64B."), ("64m", "Write 64MiB."), ("64Gb", "Write 64GB."), ("64PiB", nil), ("x", nil),
    ])
    func theRemedyOfASize(text: String, remedy: String?) {
        let mismatch = #expect(throws: ConfigurationMismatch.self) { try ByteCount(configured: text) }
        #expect(mismatch?.remedy == remedy)
    }

    @Test(arguments: ["0B", "1B", "1000B", "1KiB", "64MiB", "1500KB", "64GiB", "9223372036854775807B"])
    func aSizeIsWrittenAsItCanBeRead(text: String) throws {
        let size = try ByteCount(configured: text)
        #expect(try ByteCount(configured: size.description) == size)
    }

    @Test(arguments: [
        ("0s", Duration.zero), ("250ms", .milliseconds(250)), ("7us", .microseconds(7)), ("60s", .seconds(60)),
        ("5m", .seconds(300)), ("24h", .seconds(86_400)), ("7d", .seconds(604_800)),
        ("36500d", .seconds(36_500 * 86_400)),
    ])
    func times(text: String, time: Duration) throws {
        #expect(try Duration(configured: text) == time)
        #expect(try Duration(configured: time.configured) == time)
    }

    @Test(arguments: [
        "", "s", "-1s", "1.5h", "1h30m", "60", "0", "36501d", "9223372036854775808us", "9223372036854775807d",
    ])
    func noTimes(text: String) {
        #expect(throws: ConfigurationMismatch.self) { try Duration(configured: text) }
    }

    @Test func aTimeInMilliseconds() {
        #expect(Duration.microseconds(1_999).milliseconds == 1)
        #expect(Duration.seconds(86_400).milliseconds == 86_400_000)
    }

    @Test(arguments: [
        ("127.0.0.1:4318", "127.0.0.1", 4318), ("[::1]:0", "::1", 0), ("localhost:65535", "localhost", 65_535),
        ("db-1.example.net:5432", "db-1.example.net", 5432), ("/run/postgresql:5432", "/run/postgresql", 5432),
        ("[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", 1),
    ])
    func addresses(text: String, host: String, port: Int) throws {
        let address = try NetworkAddress(configured: text)
        #expect(address == NetworkAddress(host: host, port: port))
        #expect(address.description == text)
    }

    @Test(arguments: [
        "", ":", ":80", "a", "a:", "a:-1", "a:+1", "a:65536", "a:٣", "::1:80", "[::1]", "[::1:80", "[]:80", "[a]:80",
        "a b:1",
        "user@host:1", "a:1,b:2", "*:1",
    ])
    func noAddresses(text: String) {
        #expect(throws: ConfigurationMismatch.self) { try NetworkAddress(configured: text) }
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.255.255.254", true), ("::1", true), ("localhost", true), ("0.0.0.0", false),
        ("::", false),
        ("128.0.0.1", false), ("127.0.0.1.example.net", false), ("127.0.0", false), ("127.0.0.256", false),
        ("localhost.example.net", false), ("", false),
    ])
    func loopback(host: String, isLoopback: Bool) {
        #expect(NetworkAddress(host: host, port: 1).isLoopback == isLoopback)
    }

    @Test(arguments: [
        ("levle", "level"), ("LEVEL", "level"), ("formt", "format"), ("fromat", "format"), ("max-bytes", "max_bytes"),
        ("x", nil),
        ("", nil), ("completely-different", nil),
    ])
    func theNearestWord(text: String, word: String?) {
        #expect(nearestMatch(to: text, among: ["level", "format", "max_bytes"]) == word)
    }
}
