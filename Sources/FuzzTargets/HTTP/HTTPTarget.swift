import IngestServer
import NIOCore
import NIOEmbedded
import NIOHTTP1

/// The framing of HTTP requests.
///
/// Input: a byte that picks the limits, a byte that seeds how the bytes are cut, then what a client sends.
enum HTTPTarget {
    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        var input = FuzzInput(bytes)
        let limits = limits(input.byte())
        var random = FuzzRandom(seed: input.byte())
        let sent = Array(input.rest)

        let whole = try RequestTranscript([sent], limits)
        let cut = try RequestTranscript(input.rest.portions(upTo: 40, &random), limits)
        try promise(whole == cut, "cut into portions the bytes are other requests: \(whole) and \(cut)")
        let single = try RequestTranscript(sent.map { [$0] }, limits)
        try promise(whole == single, "byte by byte they are other requests: \(whole) and \(single)")
        try compare(whole, sent)
    }

    private static func limits(_ choice: UInt8) -> HTTPLimits {
        choice & 1 == 0
            ? HTTPLimits()
            : HTTPLimits(
                requestLineBytes: 32,
                headerBytes: 64,
                headerCount: 3,
                bodyBytes: 16,
                chunkLineBytes: 8,
                chunkExtensionBytes: 12
            )
    }

    /// SwiftNIO's parser may refuse what this one takes; but where both take a request, it has to be the same one, or requests
    /// could be smuggled past whichever of them stands in front.
    private static func compare(_ ours: RequestTranscript, _ sent: [UInt8]) throws(Finding) {
        let theirs = theirs(sent)
        for (index, our) in ours.requests.enumerated() where our.isComplete {
            guard index < theirs.count, theirs[index].isComplete else { return }
            let their = theirs[index]
            // An absolute target is given back without its authority here, and whole there.
            let sameTarget = our.target == their.target || their.target.lowercased().hasPrefix("http")
            try promise(
                sameTarget && (our.method == their.method || our.method == "OTHER")
                    && our.minorVersion == their.minorVersion && our.body == their.body
                    && our.contentType == their.contentType,
                "two readings of request \(index): \(our) and \(their)"
            )
            // Their parser stops with the connection, or where another protocol may begin.
            guard our.isPersistent, their.isPersistent, our.method != "CONNECT" else { return }
        }
    }

    private static func theirs(_ sent: [UInt8]) -> [RequestTranscript.Request] {
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder()))
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        // What it refuses is its own affair; what it took before that counts.
        _ = try? channel.writeInbound(ByteBuffer(bytes: sent))
        var seen: [RequestTranscript.Request] = []
        while let part = try? channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head):
                seen.append(
                    RequestTranscript.Request(
                        method: head.method.rawValue,
                        target: head.uri,
                        minorVersion: head.version.minor,
                        isPersistent: head.isKeepAlive && head.headers["upgrade"].isEmpty,
                        contentType: head.headers.first(name: "content-type").map(trimmed),
                        details: ""
                    )
                )
            case .body(let buffer):
                seen[seen.count - 1].body += buffer.readableBytesView
            case .end:
                seen[seen.count - 1].isComplete = true
            }
        }
        return seen
    }

    /// SwiftNIO leaves the blanks behind a value in it.
    private static func trimmed(_ value: String) -> String {
        func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }
        var value = value[...]
        while value.first.map(isBlank) ?? false { value.removeFirst() }
        while value.last.map(isBlank) ?? false { value.removeLast() }
        return String(value)
    }
}
