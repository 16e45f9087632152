import Records
import SegmentedLog

/// The files of a queue directory, as a fuzzer's input describes them.
///
/// Input: a byte of flags (1: make checksums right; 2: make identities right as well; 4: the encryption key is known), then files: a
/// byte for the kind, a byte for the number in the name, two bytes for the length (little-endian), and the content.
struct QueueImage {
    static let key = LaneKey(queue: QueueID(high: 0x1122, low: 0x3344), lane: LaneID(1))
    static let lane = "q/lanes/\(key)"
    static let letters = "q/dead-letters"
    static let layouts = "q/layouts"
    static let encryptionKey = [UInt8](repeating: 7, count: KeyRing.keyBytes)
    private static let names = [
        "spare-1.tmp", "spare-9223372036854775807.tmp", "spare-+3.tmp", "spare-003.tmp", "x.new",
        "00000000000000000000.segment",
        "18446744073709551615.keys", "99999999999999999999.segment", "note",
    ]

    let files = MemoryFiles()
    var keyRing = KeyRing()
    /// Every block whose two checksums hold, wherever it stands.
    private(set) var goodBlocks: [GoodBlock] = []
    private(set) var letterFiles = 0

    struct GoodBlock: Hashable {
        var base: Offset
        var fingerprint: Fingerprint
        var first: Offset
        var last: Offset
    }

    init(_ bytes: UnsafeRawBufferPointer) {
        var input = FuzzInput(bytes)
        let flags = input.byte()
        if flags & 4 != 0, let ring = try? KeyRing(keys: ["k": Self.encryptionKey], active: nil) { keyRing = ring }
        for directory in ["q", "q/lanes", Self.lane, Self.letters, Self.layouts] {
            do throws(FileFault) { try files.createDirectory(directory) } catch { preconditionFailure("\(error)") }
        }
        while !input.rest.isEmpty {
            let kind = input.byte()
            let number = input.byte()
            let length = input.word()
            let sums = QueueChecksums(fixes: flags & 1 != 0, identifies: flags & 2 != 0)
            var content = Array(input.take(length))
            switch kind % 6 {
            case 0:
                let base = Self.offset(number)
                sums.mendSegment(&content, base: base)
                noteGoodBlocks(in: content, base)
                files.put(content, at: "\(Self.lane)/\(LaneFiles.segment(base))")
            case 1:
                sums.mendSidecar(&content, base: Self.offset(number))
                files.put(content, at: "\(Self.lane)/\(LaneFiles.keys(Self.offset(number)))")
            case 2:
                sums.mendWatermarks(&content)
                files.put(content, at: "\(Self.lane)/\(LaneFiles.watermarks)")
            case 3:
                let file = Self.offset(number).rawValue
                sums.mendLetters(&content, number: file)
                let digits = String(file, radix: 16)
                let name = String(repeating: "0", count: 16 - digits.count) + digits
                files.put(content, at: "\(Self.letters)/\(name).letters")
                letterFiles += 1
            case 4:
                files.put(content, at: "\(Self.layouts)/\(Fingerprint(UInt64(number))).json")
            default:
                files.put(content, at: "\(Self.lane)/\(Self.names[Int(number) % Self.names.count])")
            }
        }
    }

    /// Small numbers stand for themselves; the largest for the ends of what 64 bits hold.
    private static func offset(_ number: UInt8) -> Offset {
        switch number {
        case 0: Offset(1)
        case 255: Offset(UInt64.max)
        case 254: Offset(UInt64.max / 2)
        case 253: Offset(UInt64.max / 2 - 1)
        default: Offset(UInt64(number))
        }
    }

    private mutating func noteGoodBlocks(in content: [UInt8], _ base: Offset) {
        for start in QueueChecksums.blocks(in: content) {
            let first: UInt64 = content.field(at: start + 48)
            let rows: UInt32 = content.field(at: start + 72)
            guard rows > 0, first < UInt64.max / 2 else { continue }
            goodBlocks.append(
                GoodBlock(
                    base: base,
                    fingerprint: Fingerprint(content.field(at: start + 40, as: UInt64.self)),
                    first: Offset(first),
                    last: Offset(first + UInt64(rows) - 1)
                )
            )
        }
    }
}
