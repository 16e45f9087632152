extension BackendMessage {
    package func encode(into writer: inout WireWriter) {
        switch self {
        case .authentication(let request):
            writer.message(BackendTag.authentication) { request.encode(into: &$0) }
        case .backendKeyData(let key):
            writer.message(BackendTag.backendKeyData) { writer in
                writer.int32(key.process)
                writer.append(key.secret)
            }
        case .bindComplete: writer.message(BackendTag.bindComplete) { _ in }
        case .closeComplete: writer.message(BackendTag.closeComplete) { _ in }
        case .commandComplete(let tag): writer.message(BackendTag.commandComplete) { $0.text(tag) }
        case .copyBothResponse(let format): writer.message(BackendTag.copyBothResponse) { format.encode(into: &$0) }
        case .copyData(let bytes): writer.message(BackendTag.copyData) { $0.append(bytes) }
        case .copyDone: writer.message(BackendTag.copyDone) { _ in }
        case .copyInResponse(let format): writer.message(BackendTag.copyInResponse) { format.encode(into: &$0) }
        case .copyOutResponse(let format): writer.message(BackendTag.copyOutResponse) { format.encode(into: &$0) }
        case .dataRow(let values):
            writer.message(BackendTag.dataRow) { writer in
                writer.count(values.count)
                for value in values { writer.value(value) }
            }
        case .emptyQueryResponse: writer.message(BackendTag.emptyQueryResponse) { _ in }
        case .error(let report): writer.message(BackendTag.error) { report.encode(into: &$0) }
        case .functionCallResponse(let value): writer.message(BackendTag.functionCallResponse) { $0.value(value) }
        case .negotiateProtocolVersion(let version, let options):
            writer.message(BackendTag.negotiateProtocolVersion) { writer in
                writer.int32(version.code)
                writer.int32(Int32(options.count))
                for option in options { writer.text(option) }
            }
        case .noData: writer.message(BackendTag.noData) { _ in }
        case .notice(let report): writer.message(BackendTag.notice) { report.encode(into: &$0) }
        case .notification(let process, let channel, let payload):
            writer.message(BackendTag.notification) { writer in
                writer.int32(process)
                writer.text(channel)
                writer.text(payload)
            }
        case .parameterDescription(let types):
            writer.message(BackendTag.parameterDescription) { writer in
                writer.count(types.count)
                for type in types { writer.int32(type) }
            }
        case .parameterStatus(let name, let value):
            writer.message(BackendTag.parameterStatus) { writer in
                writer.text(name)
                writer.text(value)
            }
        case .parseComplete: writer.message(BackendTag.parseComplete) { _ in }
        case .portalSuspended: writer.message(BackendTag.portalSuspended) { _ in }
        case .readyForQuery(let status): writer.message(BackendTag.readyForQuery) { $0.byte(status.rawValue) }
        case .rowDescription(let columns):
            writer.message(BackendTag.rowDescription) { writer in
                writer.count(columns.count)
                for column in columns { column.encode(into: &writer) }
            }
        }
    }

    package var bytes: [UInt8] {
        var writer = WireWriter()
        encode(into: &writer)
        return writer.bytes
    }
}

extension BackendMessage.Authentication {
    func encode(into writer: inout WireWriter) {
        switch self {
        case .ok: writer.int32(0)
        case .cleartextPassword: writer.int32(3)
        case .md5Password(let salt):
            writer.int32(5)
            writer.append(salt)
        case .sasl(let mechanisms):
            writer.int32(10)
            for mechanism in mechanisms { writer.text(mechanism) }
            writer.byte(0)
        case .saslContinue(let bytes):
            writer.int32(11)
            writer.append(bytes)
        case .saslFinal(let bytes):
            writer.int32(12)
            writer.append(bytes)
        case .other(let kind): writer.int32(kind)
        }
    }
}

extension BackendMessage.CopyFormat {
    func encode(into writer: inout WireWriter) {
        writer.byte(isBinary ? 1 : 0)
        writer.count(columns.count)
        for column in columns { writer.int16(column) }
    }
}

extension BackendMessage.Column {
    func encode(into writer: inout WireWriter) {
        writer.text(name)
        writer.int32(table)
        writer.int16(attribute)
        writer.int32(type)
        writer.int16(typeBytes)
        writer.int32(modifier)
        writer.int16(format)
    }
}

extension Report {
    func encode(into writer: inout WireWriter) {
        for field in fields {
            writer.byte(field.code)
            writer.text(field.text)
        }
        writer.byte(0)
    }
}
