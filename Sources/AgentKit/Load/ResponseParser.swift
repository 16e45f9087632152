import Glibc

/// Reads HTTP/1.1 answers as far as a load generator needs it: the status, the end of the body, and whether the connection goes
/// on. Answers must come with a Content-Length or without a body (RFC 9112, section 6.3).
///
/// Pure; the bytes may be cut anywhere.
package struct ResponseParser: Sendable {
    package struct Response: Hashable, Sendable {
        package var status: Int
        /// The server closes the connection after this answer.
        package var closes: Bool
    }

    package enum Fault: Error, Hashable, Sendable {
        case badStatusLine
        case lineTooLong
        case badLength
        /// Neither a length nor a status that has no body; chunked answers are among these.
        case noLength
    }

    private enum State {
        case statusLine
        case headers(status: Int, length: Int?, closes: Bool)
        case body(Response, left: Int)
    }

    private static let longestLine = 8192
    private static let carriageReturn = UInt8(ascii: "\r")
    private var state = State.statusLine
    /// The beginning of a line whose end has not come yet.
    private var begun: [UInt8] = []

    package init() {}

    /// Takes bytes off the front of `bytes` up to the end of the next answer.
    ///
    /// - Returns: the answer, or nil when all bytes were taken and it is not complete.
    package mutating func next(from bytes: inout UnsafeRawBufferPointer) throws(Fault) -> Response? {
        while true {
            if case .body(let response, let left) = state {
                let taken = min(left, bytes.count)
                bytes = UnsafeRawBufferPointer(rebasing: bytes[taken...])
                if taken == left {
                    state = .statusLine
                    return response
                }
                state = .body(response, left: left - taken)
                return nil
            }
            guard let part = try Self.line(from: &bytes, longest: Self.longestLine - begun.count) else {
                begun.append(contentsOf: bytes)
                bytes = UnsafeRawBufferPointer(rebasing: bytes[bytes.count...])
                return nil
            }
            if begun.isEmpty {
                state = try Self.state(after: state, part)
            } else {
                begun.append(contentsOf: part)
                state = try begun.withUnsafeBufferPointer { line throws(Fault) in
                    try Self.state(after: state, UnsafeRawBufferPointer(line))
                }
                begun.removeAll(keepingCapacity: true)
            }
        }
    }

    /// Takes a line with its carriage return, without its end, off the front; nil if there is no whole one.
    private static func line(
        from bytes: inout UnsafeRawBufferPointer,
        longest: Int
    ) throws(Fault) -> UnsafeRawBufferPointer? {
        guard let start = bytes.baseAddress, let end = memchr(start, CInt(UInt8(ascii: "\n")), bytes.count) else {
            guard bytes.count <= longest else { throw .lineTooLong }
            return nil
        }
        let count = UnsafeRawPointer(end) - start
        guard count <= longest else { throw .lineTooLong }
        defer { bytes = UnsafeRawBufferPointer(rebasing: bytes[(count + 1)...]) }
        return UnsafeRawBufferPointer(rebasing: bytes[..<count])
    }

    private static func state(after state: State, _ ended: UnsafeRawBufferPointer) throws(Fault) -> State {
        let line = ended.last == carriageReturn ? UnsafeRawBufferPointer(rebasing: ended.dropLast()) : ended
        switch state {
        case .statusLine:
            return .headers(status: try status(line), length: nil, closes: false)
        case .headers(let status, let length, let closes):
            guard !line.isEmpty else { return try body(status, length, closes) }
            if let value = value(of: "content-length", in: line) {
                return .headers(status: status, length: try number(value), closes: closes)
            }
            if let value = value(of: "connection", in: line) {
                return .headers(status: status, length: length, closes: closes || isClose(value))
            }
            return state
        case .body:
            preconditionFailure("a body has no lines")
        }
    }

    private static func body(_ status: Int, _ length: Int?, _ closes: Bool) throws(Fault) -> State {
        if (100..<200).contains(status) {
            return .statusLine
        }
        let response = Response(status: status, closes: closes)
        if status == 204 || status == 304 {
            return .body(response, left: 0)
        }
        guard let length else { throw .noLength }
        return .body(response, left: length)
    }

    private static func status(_ line: UnsafeRawBufferPointer) throws(Fault) -> Int {
        let start: StaticString = "HTTP/1.1 "
        let digits = start.utf8CodeUnitCount
        guard let first = line.baseAddress, line.count >= digits + 3, memcmp(first, start.utf8Start, digits) == 0 else {
            throw .badStatusLine
        }
        var status = 0
        for byte in line[digits..<(digits + 3)] {
            guard (0x30...0x39).contains(byte) else { throw .badStatusLine }
            status = status * 10 + Int(byte - 0x30)
        }
        guard status >= 100, line.count == digits + 3 || line[digits + 3] == UInt8(ascii: " ") else {
            throw .badStatusLine
        }
        return status
    }

    /// The field's value if the line is that field; names are compared without regard to case.
    private static func value(of name: StaticString, in line: UnsafeRawBufferPointer) -> Slice<UnsafeRawBufferPointer>?
    {
        let length = name.utf8CodeUnitCount
        guard line.count > length, line[length] == UInt8(ascii: ":") else { return nil }
        for index in 0..<length where line[index] | 0x20 != name.utf8Start[index] | 0x20 {
            return nil
        }
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        var value = line[(length + 1)...].drop(while: isBlank)
        while let last = value.last, isBlank(last) {
            value.removeLast()
        }
        return value
    }

    private static func number(_ digits: Slice<UnsafeRawBufferPointer>) throws(Fault) -> Int {
        guard (1...15).contains(digits.count) else { throw .badLength }
        var number = 0
        for byte in digits {
            guard (0x30...0x39).contains(byte) else { throw .badLength }
            number = number * 10 + Int(byte - 0x30)
        }
        return number
    }

    private static func isClose(_ value: Slice<UnsafeRawBufferPointer>) -> Bool {
        value.lazy.map { $0 | 0x20 }.elementsEqual("close".utf8)
    }
}
