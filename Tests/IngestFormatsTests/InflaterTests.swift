import CLZ4
import CZlib
import IngestFormats
import Testing

/// What was compressed comes back; whatever else is given ends in a typed fault, at any cut and with any byte changed.
@Suite struct InflaterTests {
    private static let text = Array(String(repeating: "one event after another, ", count: 4000).utf8)

    private func compress(_ bytes: [UInt8], _ coding: ContentCoding) -> [UInt8] {
        coding == .lz4 ? lz4(bytes) : zlib(bytes, windowBits: coding == .gzip ? 31 : 15)
    }

    private func zlib(_ bytes: [UInt8], windowBits: Int32) -> [UInt8] {
        var stream = z_stream()
        let size = Int32(MemoryLayout<z_stream>.size)
        #expect(deflateInit2_(&stream, 6, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, zlibVersion(), size) == Z_OK)
        defer { deflateEnd(&stream) }
        var input = bytes
        var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))) + 32)
        let count = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                #expect(deflate(&stream, Z_FINISH) == Z_STREAM_END)
                return output.count - Int(stream.avail_out)
            }
        }
        return Array(output[..<count])
    }

    private func lz4(_ bytes: [UInt8]) -> [UInt8] {
        var preferences = LZ4F_preferences_t()
        preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled
        var output = [UInt8](repeating: 0, count: LZ4F_compressFrameBound(bytes.count, &preferences))
        let count = LZ4F_compressFrame(&output, output.count, bytes, bytes.count, &preferences)
        return Array(output[..<count])
    }

    private func inflate(
        _ body: [UInt8],
        _ coding: ContentCoding,
        limit: Int = 1 << 20
    ) throws(InflateFault) -> [UInt8] {
        let inflater = Inflater()
        let result = body.withUnsafeBytes { body in
            Result { () throws(InflateFault) in Array(try inflater.inflate(body, coding, limit: limit)) }
        }
        return try result.get()
    }

    @Test(arguments: ContentCoding.allCases)
    func thereAndBack(coding: ContentCoding) throws {
        for bytes in [[], [65], Self.text] {
            #expect(try inflate(compress(bytes, coding), coding) == bytes)
        }
    }

    @Test(arguments: [ContentCoding.gzip, .lz4])
    func severalMembersAreOneBody(coding: ContentCoding) throws {
        let body = compress(Self.text, coding) + compress([], coding) + compress([1, 2, 3], coding)
        #expect(try inflate(body, coding) == Self.text + [1, 2, 3])
    }

    @Test(arguments: ContentCoding.allCases)
    func aBombMeetsTheLimit(coding: ContentCoding) throws {
        let bomb = compress([UInt8](repeating: 0, count: 50_000_000), coding)
        #expect(throws: InflateFault.tooLarge(limit: 1_000_000)) { try inflate(bomb, coding, limit: 1_000_000) }
        let exact = compress(Self.text, coding)
        #expect(try inflate(exact, coding, limit: Self.text.count) == Self.text)
        #expect(throws: InflateFault.tooLarge(limit: Self.text.count - 1)) {
            try inflate(exact, coding, limit: Self.text.count - 1)
        }
        #expect(throws: InflateFault.tooLarge(limit: 0)) { try inflate(exact, coding, limit: 0) }
        #expect(try inflate(compress([], coding), coding, limit: 0) == [])
    }

    @Test(arguments: ContentCoding.allCases)
    func tornAtEveryByte(coding: ContentCoding) throws {
        let body = compress(Array(Self.text[..<3000]), coding)
        for length in 0..<body.count {
            #expect(throws: InflateFault.truncated) { try inflate(Array(body[..<length]), coding) }
        }
    }

    @Test(arguments: ContentCoding.allCases)
    func whatFollowsIsRefused(coding: ContentCoding) throws {
        let body = compress(Self.text, coding)
        for tail in [[0], Array("{}".utf8), [UInt8](repeating: 0, count: 100)] {
            #expect(throws: InflateFault.trailing(offset: body.count)) { try inflate(body + tail, coding) }
        }
    }

    @Test(arguments: ContentCoding.allCases)
    func garbageIsDamaged(coding: ContentCoding) throws {
        for garbage in [Array("{\"a\":1}, no compression at all".utf8), [UInt8](repeating: 0xFF, count: 64)] {
            do throws(InflateFault) {
                _ = try inflate(garbage, coding)
                Issue.record("inflated garbage")
            } catch {
                guard case .damaged = error else {
                    Issue.record("\(error)")
                    return
                }
            }
        }
    }

    @Test(arguments: ContentCoding.allCases)
    func anyByteChangedIsNoticedOrHarmless(coding: ContentCoding) throws {
        let bytes = Array(Self.text[..<500])
        let body = compress(bytes, coding)
        for index in body.indices {
            for flip in [UInt8(1), 0x80, 0xFF] {
                var changed = body
                changed[index] ^= flip
                // A change of what is no data (a time stamp in gzip's header) may pass; changed data may not.
                if let result = try? inflate(changed, coding) {
                    #expect(result == bytes, "byte \(index) xor \(flip)")
                }
            }
        }
    }

    @Test func oneInflaterServesOneBodyAfterAnother() throws {
        let inflater = Inflater()
        for coding in ContentCoding.allCases + ContentCoding.allCases {
            let large = compress([UInt8](repeating: 7, count: 3_000_000), coding)
            let count = try large.withUnsafeBytes { body in
                try inflater.inflate(body, coding, limit: 4_000_000).count
            }
            #expect(count == 3_000_000)
            let small = compress([1, 2], coding)
            let bytes = try small.withUnsafeBytes { body in
                Array(try inflater.inflate(body, coding, limit: 10))
            }
            #expect(bytes == [1, 2])
            _ = try? Array(large.dropLast(5)).withUnsafeBytes {
                try inflater.inflate($0, coding, limit: 4_000_000).count
            }
        }
    }
}
