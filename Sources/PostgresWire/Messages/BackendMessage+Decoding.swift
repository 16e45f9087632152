extension BackendMessage {
    /// - Parameter body: the bytes after the header, all of them.
    package init(tag: UInt8, body: UnsafeRawBufferPointer) throws(WireFault) {
        var reader = WireReader(body, tag: tag)
        switch tag {
        case BackendTag.authentication: self = .authentication(try Authentication(reading: &reader))
        case BackendTag.backendKeyData:
            let process = try reader.int32()
            guard WireLimits.cancelKeyBytes.contains(reader.remaining) else {
                throw .field(tag: tag, "a cancel key of \(reader.remaining) bytes")
            }
            self = .backendKeyData(CancelKey(process: process, secret: reader.rest()))
        case BackendTag.bindComplete: self = .bindComplete
        case BackendTag.closeComplete: self = .closeComplete
        case BackendTag.commandComplete: self = .commandComplete(tag: try reader.text())
        case BackendTag.copyBothResponse: self = .copyBothResponse(try CopyFormat(reading: &reader, tag: tag))
        case BackendTag.copyData: self = .copyData(reader.rest())
        case BackendTag.copyDone: self = .copyDone
        case BackendTag.copyInResponse: self = .copyInResponse(try CopyFormat(reading: &reader, tag: tag))
        case BackendTag.copyOutResponse: self = .copyOutResponse(try CopyFormat(reading: &reader, tag: tag))
        case BackendTag.dataRow:
            var values: [[UInt8]?] = []
            for _ in 0..<(try reader.count(each: 4)) { values.append(try reader.value()) }
            self = .dataRow(values)
        case BackendTag.emptyQueryResponse: self = .emptyQueryResponse
        case BackendTag.error: self = .error(try Report(reading: &reader))
        case BackendTag.functionCallResponse: self = .functionCallResponse(try reader.value())
        case BackendTag.negotiateProtocolVersion: self = try Self.negotiation(&reader, tag: tag)
        case BackendTag.noData: self = .noData
        case BackendTag.notice: self = .notice(try Report(reading: &reader))
        case BackendTag.notification:
            self = .notification(process: try reader.int32(), channel: try reader.text(), payload: try reader.text())
        case BackendTag.parameterDescription:
            var types: [Int32] = []
            for _ in 0..<(try reader.count(each: 4)) { types.append(try reader.int32()) }
            self = .parameterDescription(types)
        case BackendTag.parameterStatus: self = .parameterStatus(name: try reader.text(), value: try reader.text())
        case BackendTag.parseComplete: self = .parseComplete
        case BackendTag.portalSuspended: self = .portalSuspended
        case BackendTag.readyForQuery:
            let byte = try reader.byte()
            guard let status = TransactionStatus(rawValue: byte) else {
                throw .field(tag: tag, "a transaction status of \(byte); expected 'I', 'T' or 'E'")
            }
            self = .readyForQuery(status)
        case BackendTag.rowDescription:
            var columns: [Column] = []
            for _ in 0..<(try reader.count(each: 19)) { columns.append(try Column(reading: &reader)) }
            self = .rowDescription(columns)
        default: throw .unknownTag(tag)
        }
        try reader.expectEnd()
    }

    private static func negotiation(_ reader: inout WireReader, tag: UInt8) throws(WireFault) -> BackendMessage {
        let version = ProtocolVersion(code: try reader.int32())
        let count = Int(try reader.int32())
        // Each name takes its NUL at least.
        guard count >= 0, count <= reader.remaining else { throw .truncated(tag: tag) }
        var options: [String] = []
        for _ in 0..<count { options.append(try reader.text()) }
        return .negotiateProtocolVersion(version, unknownOptions: options)
    }
}

extension BackendMessage.Authentication {
    init(reading reader: inout WireReader) throws(WireFault) {
        let kind = try reader.int32()
        switch kind {
        case 0: self = .ok
        case 3: self = .cleartextPassword
        case 5: self = .md5Password(salt: try reader.take(4))
        case 10:
            var mechanisms: [String] = []
            while true {
                let name = try reader.text()
                if name.isEmpty { break }
                mechanisms.append(name)
            }
            self = .sasl(mechanisms: mechanisms)
        case 11: self = .saslContinue(reader.rest())
        case 12: self = .saslFinal(reader.rest())
        default:
            _ = reader.rest()
            self = .other(kind)
        }
    }
}

extension BackendMessage.CopyFormat {
    init(reading reader: inout WireReader, tag: UInt8) throws(WireFault) {
        let format = try reader.byte()
        guard format <= 1 else { throw .field(tag: tag, "a format of \(format); expected 0 or 1") }
        isBinary = format == 1
        columns = []
        for _ in 0..<(try reader.count(each: 2)) { columns.append(try reader.int16()) }
    }
}

extension BackendMessage.Column {
    init(reading reader: inout WireReader) throws(WireFault) {
        name = try reader.text()
        table = try reader.int32()
        attribute = try reader.int16()
        type = try reader.int32()
        typeBytes = try reader.int16()
        modifier = try reader.int32()
        format = try reader.int16()
    }
}

extension Report {
    init(reading reader: inout WireReader) throws(WireFault) {
        fields = []
        while true {
            let code = try reader.byte()
            if code == 0 { return }
            fields.append(Field(code, try reader.text()))
        }
    }
}
