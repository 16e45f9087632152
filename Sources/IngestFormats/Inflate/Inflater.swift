import CLZ4
import CZlib

/// Inflates request bodies into a buffer of its own.
///
/// Owner: one event loop or thread at a time. The buffer grows with what really comes out, never by a length that the body
/// claims, and never beyond the limit.
package final class Inflater {
    /// A larger buffer than this is not kept for the next body.
    private static let keptCapacity = 1 << 20

    private var buffer: UnsafeMutableRawBufferPointer
    private var count = 0

    package init() {
        buffer = .allocate(byteCount: 1 << 16, alignment: 16)
    }

    deinit {
        buffer.deallocate()
    }

    /// The inflated body; valid until the next call on this inflater.
    ///
    /// - Parameter limit: the most bytes that may come out.
    package func inflate(
        _ body: UnsafeRawBufferPointer,
        _ coding: ContentCoding,
        limit: Int
    ) throws(InflateFault) -> UnsafeRawBufferPointer {
        count = 0
        if buffer.count > Self.keptCapacity {
            buffer.deallocate()
            buffer = .allocate(byteCount: 1 << 16, alignment: 16)
        }
        switch coding {
        case .gzip: try inflateZlib(body, windowBits: 15 + 16, severalMembers: true, limit: limit)
        case .deflate: try inflateZlib(body, windowBits: 15, severalMembers: false, limit: limit)
        case .lz4: try inflateLZ4(body, limit: limit)
        }
        return UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }

    /// Room for more output: what the buffer has left, after growing it if it is full. One byte beyond the limit is room too, for
    /// only a byte that is really there shows that the limit is exceeded.
    private func room(limit: Int) throws(InflateFault) -> UnsafeMutableRawBufferPointer {
        if count > limit {
            throw .tooLarge(limit: limit)
        }
        if count == buffer.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: buffer.count * 2, alignment: 16)
            larger.copyMemory(from: UnsafeRawBufferPointer(buffer))
            buffer.deallocate()
            buffer = larger
        }
        let end = limit < buffer.count ? limit + 1 : buffer.count
        return UnsafeMutableRawBufferPointer(rebasing: buffer[count..<end])
    }
}

extension Inflater {
    private func inflateZlib(
        _ body: UnsafeRawBufferPointer,
        windowBits: Int32,
        severalMembers: Bool,
        limit: Int
    ) throws(InflateFault) {
        guard !body.isEmpty else { throw .truncated }
        var stream = z_stream()
        let version = zlibVersion()
        guard inflateInit2_(&stream, windowBits, version, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw .outOfMemory
        }
        defer { inflateEnd(&stream) }
        var consumed = 0
        while true {
            let output = try room(limit: limit)
            // zlib counts in 32 bits, so a larger body is handed over in steps.
            let offered = min(body.count - consumed, 1 << 30)
            stream.next_in = UnsafeMutablePointer(
                mutating: body.baseAddress?.advanced(by: consumed).assumingMemoryBound(to: UInt8.self)
            )
            stream.avail_in = UInt32(offered)
            stream.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
            let offeredOut = min(output.count, 1 << 30)
            stream.avail_out = UInt32(offeredOut)
            let status = CZlib.inflate(&stream, Z_NO_FLUSH)
            consumed += offered - Int(stream.avail_in)
            let produced = offeredOut - Int(stream.avail_out)
            count += produced
            if count > limit {
                throw .tooLarge(limit: limit)
            }
            switch status {
            case Z_STREAM_END:
                if consumed == body.count { return }
                guard severalMembers, body[consumed] == 0x1F else { throw .trailing(offset: consumed) }
                inflateReset(&stream)
            case Z_OK:
                continue
            case Z_BUF_ERROR:
                // No progress was possible: either the output was full, or the input is used up.
                if consumed == body.count, produced == 0, offeredOut > 0 { throw .truncated }
            case Z_MEM_ERROR:
                throw .outOfMemory
            default:
                let reason = stream.msg.map { String(cString: $0) } ?? "no zlib data"
                throw .damaged(offset: consumed, reason: reason)
            }
        }
    }

    private func inflateLZ4(_ body: UnsafeRawBufferPointer, limit: Int) throws(InflateFault) {
        guard let start = body.baseAddress, !body.isEmpty else { throw .truncated }
        var context: OpaquePointer?
        guard LZ4F_isError(LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))) == 0, let context else {
            throw .outOfMemory
        }
        defer { LZ4F_freeDecompressionContext(context) }
        var consumed = 0
        while true {
            let output = try room(limit: limit)
            var produced = output.count
            var taken = body.count - consumed
            let hint = LZ4F_decompress(context, output.baseAddress, &produced, start + consumed, &taken, nil)
            if LZ4F_isError(hint) != 0 {
                throw .damaged(offset: consumed, reason: String(cString: LZ4F_getErrorName(hint)))
            }
            consumed += taken
            count += produced
            if count > limit {
                throw .tooLarge(limit: limit)
            }
            if hint == 0 {
                if consumed == body.count { return }
                guard Self.beginsFrame(body[consumed...]) else { throw .trailing(offset: consumed) }
            } else if consumed == body.count, produced < output.count {
                throw .truncated
            }
        }
    }
    /// Whether a frame, or one to be skipped, can begin with these bytes (LZ4 frame format, "Magic Number").
    private static func beginsFrame(_ bytes: Slice<UnsafeRawBufferPointer>) -> Bool {
        let head = Array(bytes.prefix(4))
        let isData = head == Array([0x04, 0x22, 0x4D, 0x18].prefix(head.count))
        let isSkipped = head[0] & 0xF0 == 0x50 && head[1...] == [0x2A, 0x4D, 0x18].prefix(head.count - 1)
        return isData || isSkipped
    }
}
