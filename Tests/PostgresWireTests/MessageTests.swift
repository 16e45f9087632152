// Method: one example at least of every message of both roles. Each is encoded and decoded again; then it is cut at every byte, given a byte too many,
// and given the wrong length. Whatever a decoder is given, it answers with a value or with a fault.

import PostgresWire
import Testing

@Suite
struct MessageTests {
    static let frontend: [FrontendMessage] = [
        .bind(.init()),
        .bind(
            .init(
                portal: "p",
                statement: "s",
                formats: [0, 1],
                values: [[1, 2, 3], nil, []],
                resultFormats: [1]
            )
        ),
        .close(.statement, name: "s"), .close(.portal, name: ""), .copyData([1, 2, 3]), .copyData([]), .copyDone,
        .copyFail(reason: "no"), .describe(.statement, name: "s"), .describe(.portal, name: ""),
        .execute(portal: "", rows: 0), .execute(portal: "p", rows: .max), .flush,
        .parse(.init(query: Array("SELECT 1".utf8))),
        .parse(.init(name: "s", query: Array("SELECT $1".utf8), types: [23, 0])),
        .query([]), .query(Array("SELECT 1; SELECT 2".utf8)), .sync, .terminate, .password([1, 0, 2]),
    ]

    static let backend: [BackendMessage] = [
        .authentication(.ok), .authentication(.cleartextPassword), .authentication(.md5Password(salt: [1, 2, 3, 4])),
        .authentication(.sasl(mechanisms: ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"])),
        .authentication(.saslContinue([1])), .authentication(.saslFinal([])), .authentication(.other(7)),
        .backendKeyData(CancelKey(process: -1, secret: [1, 2, 3, 4])),
        .backendKeyData(CancelKey(process: 7, secret: [UInt8](repeating: 9, count: 256))),
        .bindComplete, .closeComplete, .commandComplete(tag: "SELECT 1"),
        .copyBothResponse(.init(isBinary: true, columns: [])), .copyData([7]), .copyDone,
        .copyInResponse(.init(isBinary: false, columns: [0, 0])),
        .copyOutResponse(.init(isBinary: true, columns: [1])),
        .dataRow([]), .dataRow([[1], nil, []]), .emptyQueryResponse, .error(Report(.error, "25006", "no", hint: "so")),
        .functionCallResponse(nil), .functionCallResponse([1]),
        .negotiateProtocolVersion(ProtocolVersion(3, 2), unknownOptions: ["_pq_.a", "_pq_.b"]),
        .noData, .notice(Report(.warning, "01000", "ä")), .notification(process: 3, channel: "c", payload: ""),
        .parameterDescription([23, 25]), .parameterStatus(name: "in_hot_standby", value: "on"), .parseComplete,
        .portalSuspended, .readyForQuery(.idle), .readyForQuery(.inBlock), .readyForQuery(.inFailedBlock),
        .rowDescription([]), .rowDescription([.init(name: "a"), .init(name: "b", type: 23, typeBytes: 4, format: 1)]),
    ]

    static let packets: [StartupPacket] = [
        .requestTLS, .requestGSSEncryption, .cancel(CancelKey(process: 1, secret: [1, 2, 3, 4])),
        .cancel(CancelKey(process: 1, secret: [UInt8](repeating: 3, count: 256))),
        .startup(StartupMessage(parameters: [])),
        .startup(
            StartupMessage(version: .newest, parameters: [.init("user", "apm_reader"), .init("_pq_.x", "1")])
        ),
    ]

    private func encoded(_ message: FrontendMessage) -> [UInt8] {
        var writer = WireWriter()
        message.encode(into: &writer)
        return writer.bytes
    }

    private func encoded(_ packet: StartupPacket) -> [UInt8] {
        var writer = WireWriter()
        packet.encode(into: &writer)
        return writer.bytes
    }

    private func decodeBackend(_ bytes: ArraySlice<UInt8>) throws(WireFault) -> BackendMessage {
        try Array(bytes.dropFirst(5)).withBytes { (body) throws(WireFault) in
            try BackendMessage(tag: bytes.first ?? 0, body: body)
        }
    }

    private func decodeFrontend(_ bytes: ArraySlice<UInt8>) throws(WireFault) -> FrontendMessage {
        try Array(bytes.dropFirst(5)).withBytes { (body) throws(WireFault) in
            try FrontendMessage(tag: bytes.first ?? 0, body: body)
        }
    }

    private func decodePacket(_ bytes: [UInt8]) throws(WireFault) -> StartupPacket {
        try bytes.withBytes { (all) throws(WireFault) in try StartupPacket(decoding: all) }
    }

    @Test(arguments: frontend)
    func whatAClientSendsComesBack(message: FrontendMessage) throws {
        let bytes = encoded(message)
        #expect(try decodeFrontend(bytes[...]) == message)
        let header = try bytes.withBytes { (all) throws(WireFault) in try MessageHeader.read(all, at: 0) }
        #expect(header == MessageHeader(tag: bytes[0], messageBytes: bytes.count))
    }

    @Test(arguments: backend)
    func whatAServerSendsComesBack(message: BackendMessage) throws {
        let bytes = message.bytes
        #expect(try decodeBackend(bytes[...]) == message)
        let header = try bytes.withBytes { (all) throws(WireFault) in try MessageHeader.read(all, at: 0) }
        #expect(header == MessageHeader(tag: bytes[0], messageBytes: bytes.count))
    }

    @Test(arguments: packets)
    func aFirstPacketComesBack(packet: StartupPacket) throws {
        #expect(try decodePacket(encoded(packet)) == packet)
    }

    /// What ends in bytes without a length of their own has no wrong end; everything else notices each cut and each addition.
    private static let openEnded: Set<UInt8> = [
        FrontendTag.copyData, FrontendTag.password, BackendTag.backendKeyData,
    ]

    @Test(arguments: frontend)
    func aCutOrALongerMessageOfAClientIsAFault(message: FrontendMessage) {
        let bytes = encoded(message)
        for end in min(5, bytes.count)..<bytes.count where !Self.openEnded.contains(bytes[0]) {
            #expect(throws: WireFault.self) { try decodeFrontend(bytes[..<end]) }
        }
        if !Self.openEnded.contains(bytes[0]) {
            #expect(throws: WireFault.self) { try decodeFrontend((bytes + [0])[...]) }
        }
    }

    @Test(arguments: backend)
    func aCutOrALongerMessageOfAServerIsAFault(message: BackendMessage) {
        let bytes = message.bytes
        if case .authentication = message { return }
        for end in min(5, bytes.count)..<bytes.count where !Self.openEnded.contains(bytes[0]) {
            #expect(throws: WireFault.self) { try decodeBackend(bytes[..<end]) }
        }
        if !Self.openEnded.contains(bytes[0]) {
            #expect(throws: WireFault.self) { try decodeBackend((bytes + [0])[...]) }
        }
    }

    @Test(arguments: packets)
    func aCutFirstPacketIsAFault(packet: StartupPacket) {
        let bytes = encoded(packet)
        for end in 0..<bytes.count {
            #expect(throws: WireFault.self) { try decodePacket(Array(bytes[..<end])) }
        }
    }

    /// Every byte of every message is replaced by each of some others: there may be a fault, and never a crash.
    @Test
    func garbledMessagesNeverCrash() {
        let samples = Self.frontend.map(encoded) + Self.backend.map(\.bytes)
        for bytes in samples {
            for place in bytes.indices {
                for other in [0, 1, 0x7F, 0x80, 0xFF] as [UInt8] {
                    var garbled = bytes
                    garbled[place] = other
                    _ = try? decodeFrontend(garbled[...])
                    _ = try? decodeBackend(garbled[...])
                    _ = try? decodePacket(Array(garbled.dropFirst()))
                }
            }
        }
    }

    @Test
    func aHeaderWaitsForItsFiveBytesAndRefusesWrongLengths() throws {
        func header(_ bytes: [UInt8], limit: Int = 100) throws(WireFault) -> MessageHeader? {
            try bytes.withBytes { (all) throws(WireFault) in try MessageHeader.read(all, at: 0, limit: limit) }
        }
        for count in 0..<5 { #expect(try header([UInt8](repeating: 0xFF, count: count)) == nil) }
        #expect(try header([81, 0, 0, 0, 4])?.messageBytes == 5)
        #expect(try header([81, 0, 0, 0, 100])?.messageBytes == 101)
        for wrong: [UInt8] in [
            [0, 0, 0, 3], [0, 0, 0, 0], [0, 0, 0, 101], [0xFF, 0xFF, 0xFF, 0xFF], [0x7F, 0, 0, 0],
        ] {
            #expect(throws: WireFault.self) { try header([81] + wrong) }
        }
    }

    @Test(arguments: [[0, 0, 0, 7], [0, 0, 0x27, 0x11], [0x7F, 0xFF, 0xFF, 0xFF], [0x80, 0, 0, 0]] as [[UInt8]])
    func aFirstPacketOfAWrongLengthIsRefusedByItsLengthAlone(bytes: [UInt8]) {
        #expect(throws: WireFault.self) {
            try bytes.withBytes { (all) throws(WireFault) in try StartupPacket.length(all) }
        }
    }

    @Test
    func thousandsOfParametersAreRefused() {
        let parameters = (0..<1000).map { StartupMessage.Parameter("a\($0)", "") }
        #expect(throws: WireFault.tooManyParameters(limit: 128)) {
            try decodePacket(encoded(.startup(StartupMessage(parameters: parameters))))
        }
    }

    @Test(arguments: [2, 4] as [UInt8])
    func anotherMajorVersionIsRefused(major: UInt8) {
        #expect(throws: WireFault.version(Int(major) << 16)) { try decodePacket([0, 0, 0, 9, 0, major, 0, 0, 0]) }
    }

    /// A count that the bytes left can't hold must not reserve anything: 65,535 values in a message of a few bytes.
    @Test
    func aCountBeyondTheBytesIsAFault() {
        #expect(throws: WireFault.truncated(tag: BackendTag.dataRow)) {
            try decodeBackend([BackendTag.dataRow, 0, 0, 0, 10, 0xFF, 0xFF, 0, 0, 0, 0])
        }
        #expect(throws: WireFault.truncated(tag: BackendTag.negotiateProtocolVersion)) {
            try decodeBackend([BackendTag.negotiateProtocolVersion, 0, 0, 0, 12, 0, 3, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF])
        }
    }

    @Test(arguments: [
        (ProtocolVersion(3, 0), [], ProtocolVersion(3, 0), false),
        (ProtocolVersion(3, 2), [], ProtocolVersion(3, 2), false),
        (ProtocolVersion(3, 1), [], ProtocolVersion(3, 0), true),
        (ProtocolVersion(3, 9999), [], ProtocolVersion(3, 2), true),
        (ProtocolVersion(3, 0), ["_pq_.command_compression"], ProtocolVersion(3, 0), true),
    ])
    func versionsAreAgreedOn(asked: ProtocolVersion, options: [String], served: ProtocolVersion, isTold: Bool) {
        let agreement = ProtocolVersion.agree(asked: asked, options: options)
        #expect(agreement.version == served)
        #expect(agreement.answer == (isTold ? .negotiateProtocolVersion(served, unknownOptions: options) : nil))
    }

    @Test
    func aReportTellsItsFields() {
        let report = Report(.fatal, "57P01", "going", hint: "come back")
        #expect(report.isFatal && report.code == "57P01" && report.message == "going" && report.hint == "come back")
        #expect(!Report(.error, "40001", "again").isFatal)
    }
}

extension [UInt8] {
    /// `withUnsafeBytes` with the typed error that its own signature loses.
    func withBytes<Value, Fault: Error>(_ body: (UnsafeRawBufferPointer) throws(Fault) -> Value) throws(Fault) -> Value
    {
        let result = withUnsafeBytes { bytes -> Result<Value, Fault> in
            do throws(Fault) {
                return .success(try body(bytes))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
