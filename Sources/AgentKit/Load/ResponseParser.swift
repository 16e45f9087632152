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
    private var state = State.statusLine
    private var line: [UInt8] = []

    package init() {
        line.reserveCapacity(256)
    }

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
            guard try takeLine(from: &bytes) else { return nil }
            state = try after(line)
            line.removeAll(keepingCapacity: true)
        }
    }

    /// Moves bytes into `line`; true when the line is complete, its end taken off.
    private mutating func takeLine(from bytes: inout UnsafeRawBufferPointer) throws(Fault) -> Bool {
        let end = bytes.firstIndex(of: UInt8(ascii: "\n"))
        let part = UnsafeRawBufferPointer(rebasing: bytes[..<(end ?? bytes.count)])
        guard line.count + part.count <= Self.longestLine else { throw .lineTooLong }
        line.append(contentsOf: part)
        bytes = UnsafeRawBufferPointer(rebasing: bytes[(end.map { $0 + 1 } ?? bytes.count)...])
        guard end != nil else { return false }
        if line.last == UInt8(ascii: "\r") {
            line.removeLast()
        }
        return true
    }

    private func after(_ line: [UInt8]) throws(Fault) -> State {
        switch state {
        case .statusLine:
            return .headers(status: try Self.status(line), length: nil, closes: false)
        case .headers(let status, let length, let closes):
            guard !line.isEmpty else { return try Self.body(status, length, closes) }
            if let value = Self.value(of: "content-length", in: line) {
                return .headers(status: status, length: try Self.number(value), closes: closes)
            }
            if let value = Self.value(of: "connection", in: line) {
                return .headers(status: status, length: length, closes: closes || Self.isClose(value))
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

    private static func status(_ line: [UInt8]) throws(Fault) -> Int {
        let start = Array("HTTP/1.1 ".utf8)
        guard line.count >= start.count + 3, line.starts(with: start) else { throw .badStatusLine }
        var status = 0
        for byte in line[start.count..<(start.count + 3)] {
            guard (0x30...0x39).contains(byte) else { throw .badStatusLine }
            status = status * 10 + Int(byte - 0x30)
        }
        guard status >= 100, line.count == start.count + 3 || line[start.count + 3] == UInt8(ascii: " ") else {
            throw .badStatusLine
        }
        return status
    }

    /// The field's value if the line is that field; names are compared without regard to case.
    private static func value(of name: StaticString, in line: [UInt8]) -> ArraySlice<UInt8>? {
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

    private static func number(_ digits: ArraySlice<UInt8>) throws(Fault) -> Int {
        guard (1...15).contains(digits.count) else { throw .badLength }
        var number = 0
        for byte in digits {
            guard (0x30...0x39).contains(byte) else { throw .badLength }
            number = number * 10 + Int(byte - 0x30)
        }
        return number
    }

    private static func isClose(_ value: ArraySlice<UInt8>) -> Bool {
        value.map { $0 | 0x20 }.elementsEqual("close".utf8)
    }
}
