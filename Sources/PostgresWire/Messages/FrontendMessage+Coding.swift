extension FrontendMessage {
    /// - Parameter body: the bytes after the header, all of them.
    package init(tag: UInt8, body: UnsafeRawBufferPointer) throws(WireFault) {
        var reader = WireReader(body, tag: tag)
        switch tag {
        case FrontendTag.bind: self = .bind(try Bind(reading: &reader))
        case FrontendTag.close: self = .close(try Target(reading: &reader, tag: tag), name: try reader.text())
        case FrontendTag.copyData: self = .copyData(reader.rest())
        case FrontendTag.copyDone: self = .copyDone
        case FrontendTag.copyFail: self = .copyFail(reason: try reader.text())
        case FrontendTag.describe: self = .describe(try Target(reading: &reader, tag: tag), name: try reader.text())
        case FrontendTag.execute: self = .execute(portal: try reader.text(), rows: try reader.int32())
        case FrontendTag.flush: self = .flush
        case FrontendTag.parse: self = .parse(try Parse(reading: &reader))
        case FrontendTag.query: self = .query(try reader.textBytes())
        case FrontendTag.sync: self = .sync
        case FrontendTag.terminate: self = .terminate
        case FrontendTag.password: self = .password(reader.rest())
        default: throw .unknownTag(tag)
        }
        try reader.expectEnd()
    }

    package func encode(into writer: inout WireWriter) {
        switch self {
        case .bind(let bind):
            writer.message(FrontendTag.bind) { writer in
                writer.text(bind.portal)
                writer.text(bind.statement)
                writer.count(bind.formats.count)
                for format in bind.formats { writer.int16(format) }
                writer.count(bind.values.count)
                for value in bind.values { writer.value(value) }
                writer.count(bind.resultFormats.count)
                for format in bind.resultFormats { writer.int16(format) }
            }
        case .close(let target, let name):
            writer.message(FrontendTag.close) { writer in
                writer.byte(target.rawValue)
                writer.text(name)
            }
        case .copyData(let bytes): writer.message(FrontendTag.copyData) { $0.append(bytes) }
        case .copyDone: writer.message(FrontendTag.copyDone) { _ in }
        case .copyFail(let reason): writer.message(FrontendTag.copyFail) { $0.text(reason) }
        case .describe(let target, let name):
            writer.message(FrontendTag.describe) { writer in
                writer.byte(target.rawValue)
                writer.text(name)
            }
        case .execute(let portal, let rows):
            writer.message(FrontendTag.execute) { writer in
                writer.text(portal)
                writer.int32(rows)
            }
        case .flush: writer.message(FrontendTag.flush) { _ in }
        case .parse(let parse):
            writer.message(FrontendTag.parse) { writer in
                writer.text(parse.name)
                writer.append(parse.query)
                writer.byte(0)
                writer.count(parse.types.count)
                for type in parse.types { writer.int32(type) }
            }
        case .query(let query):
            writer.message(FrontendTag.query) { writer in
                writer.append(query)
                writer.byte(0)
            }
        case .sync: writer.message(FrontendTag.sync) { _ in }
        case .terminate: writer.message(FrontendTag.terminate) { _ in }
        case .password(let bytes): writer.message(FrontendTag.password) { $0.append(bytes) }
        }
    }
}

extension FrontendMessage.Target {
    init(reading reader: inout WireReader, tag: UInt8) throws(WireFault) {
        let byte = try reader.byte()
        guard let target = Self(rawValue: byte) else {
            throw .field(tag: tag, "a target of \(byte); expected 'S' or 'P'")
        }
        self = target
    }
}

extension FrontendMessage.Bind {
    init(reading reader: inout WireReader) throws(WireFault) {
        portal = try reader.text()
        statement = try reader.text()
        formats = []
        for _ in 0..<(try reader.count(each: 2)) { formats.append(try reader.int16()) }
        values = []
        for _ in 0..<(try reader.count(each: 4)) { values.append(try reader.value()) }
        resultFormats = []
        for _ in 0..<(try reader.count(each: 2)) { resultFormats.append(try reader.int16()) }
    }
}

extension FrontendMessage.Parse {
    init(reading reader: inout WireReader) throws(WireFault) {
        name = try reader.text()
        query = try reader.textBytes()
        types = []
        for _ in 0..<(try reader.count(each: 4)) { types.append(try reader.int32()) }
    }
}
