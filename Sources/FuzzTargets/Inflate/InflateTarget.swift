import IngestFormats

/// Compressed bodies.
///
/// Input: a byte that picks coding and limit, then the body.
enum InflateTarget {
    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        var input = FuzzInput(bytes)
        let choice = Int(input.byte())
        let coding = ContentCoding.allCases[choice % ContentCoding.allCases.count]
        let limit = [100, 1 << 12, 1 << 16, 1 << 17][choice / 3 % 4]
        let body = input.rest

        let inflater = Inflater()
        let first = inflate(inflater, body, coding, limit)
        try promise(first == inflate(inflater, body, coding, limit), "a used inflater gives something else")
        guard case .success(let whole) = first else { return }
        try promise(whole.count <= limit, "\(whole.count) bytes come out, \(limit) may")
        try promise(
            inflate(inflater, body, coding, whole.count) == first,
            "\(whole.count) bytes are too many where as many may come out"
        )
        if !whole.isEmpty {
            try promise(
                inflate(inflater, body, coding, whole.count - 1) == .failure(.tooLarge(limit: whole.count - 1)),
                "one byte more than may come out comes out"
            )
        }
    }

    private static func inflate(
        _ inflater: Inflater,
        _ body: UnsafeRawBufferPointer,
        _ coding: ContentCoding,
        _ limit: Int
    ) -> Result<[UInt8], InflateFault> {
        Result { () throws(InflateFault) in Array(try inflater.inflate(body, coding, limit: limit)) }
    }
}
