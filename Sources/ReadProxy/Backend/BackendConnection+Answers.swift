import Instruments
import Logging
import NIOCore
import PostgresWire

/// What the server sends: the client's part of it goes on to the client, and what was asked for by the read port itself is taken out.
extension BackendConnection {
    /// Gives the client the answers that are ours, as far as it is their turn. The walk gives those behind an answer of the server.
    func answerOwn(to client: ClientConnection) {
        while let expected = exchange.takeOwn() { give(expected, to: client) }
    }

    private func give(_ expected: Exchange.Expected, to client: ClientConnection?) {
        if let reply = expected.reply {
            client?.receive(ByteBuffer(bytes: reply))
        } else {
            client?.receive(expected.kind == .knownParse ? Self.parseComplete : Self.closeComplete)
        }
    }

    /// Passes on what is the client's, and takes out what is ours.
    func walk(_ buffer: ByteBuffer, _ client: ClientConnection?) {
        var offset = 0
        var sent = 0
        func forward(upTo end: Int) {
            defer { sent = max(sent, end) }
            guard end > sent, let client,
                let slice = buffer.getSlice(at: buffer.readerIndex + sent, length: end - sent)
            else { return }
            client.receive(slice)
        }
        while true {
            let event: Exchange.Event
            do {
                event = try buffer.withUnsafeReadableBytes { try exchange.advance($0, &offset) }
            } catch {
                forward(upTo: offset)
                loop.instruments.backendFaults.add()
                loop.log.error(
                    "a node does not keep to the protocol; the connection is closed",
                    metadata: ["node": "\(loop.configuration.upstream.nodes[node])", "reason": "\(error)"]
                )
                return lose(Report(.fatal, "08P01", "the node does not keep to the protocol: \(error)"))
            }
            switch event {
            case .more:
                forward(upTo: offset)
                if offset < buffer.readableBytes {
                    held = buffer.getSlice(at: buffer.readerIndex + offset, length: buffer.readableBytes - offset)!
                }
                return finishTurn(client)
            case .insert(let expected):
                forward(upTo: offset)
                give(expected, to: client)
            case .drop:
                // Both messages that are dropped have no body.
                forward(upTo: offset - MessageHeader.bytes)
                sent = offset
            case .own(let tag, let range):
                // Messages that were walked over before this one were the client's.
                forward(upTo: range.lowerBound - MessageHeader.bytes)
                sent = offset
                take(own: tag, buffer, range)
            case .parameter(let range):
                if answer != nil {
                    // The client is told afterwards, of what has changed for it.
                    forward(upTo: range.lowerBound - MessageHeader.bytes)
                    sent = offset
                }
                note(parameter: range, of: buffer)
            case .notice(let range):
                // A server that comes down says so by a notice before it hangs up. It is no part of an answer.
                guard client?.runsAgain(after: report(range, BackendTag.notice, of: buffer)) == true else { break }
                forward(upTo: range.lowerBound - MessageHeader.bytes)
                sent = offset
            case .error(let range):
                let report = report(range, BackendTag.error, of: buffer)
                if report.isFatal { lastReport = report }
                if let failed = exchange.skipped.first { doubt(failed, report) }
                for skipped in exchange.skipped { undo(skipped, client) }
                guard let client else {
                    return lose(report)
                }
                if client.runsAgain(after: report) {
                    if report.isFatal { return lose(report) }
                    sent = offset
                } else if let first = exchange.skipped.first, first.kind == .refused, let reply = first.reply {
                    forward(upTo: range.lowerBound - MessageHeader.bytes)
                    sent = offset
                    client.receive(ByteBuffer(bytes: reply))
                } else {
                    client.sawFatal = client.sawFatal || report.isFatal
                }
            case .ready(.ownQuery):
                return finishOwn(buffer, offset)
            case .ready: break
            case .copyIn(let range):
                forward(upTo: range.lowerBound - MessageHeader.bytes)
                loop.instruments.backendFaults.add()
                return lose(Report(.fatal, "0A000", "COPY FROM STDIN is not served by the read port"))
            }
        }
    }

    /// A query of our own is answered. What that leads to may be anything, the end of the lease too; so what came behind the answer is put where that is seen.
    private func finishOwn(_ buffer: ByteBuffer, _ offset: Int) {
        held = buffer.getSlice(at: buffer.readerIndex + offset, length: buffer.readableBytes - offset) ?? ByteBuffer()
        guard let finished = answer else { preconditionFailure("an answer to a query that nobody asked") }
        answer = nil
        finished.finish(finished.report.map { .failure($0) } ?? .success(finished.rows))
        guard held.readableBytes > 0 else { return }
        let rest = held
        held = ByteBuffer()
        walk(rest, client)
    }

    /// Everything that came was walked.
    private func finishTurn(_ client: ClientConnection?) {
        guard let client, exchange.isEmpty, held.readableBytes == 0, answer == nil else { return }
        client.settled()
    }

    private static let parseComplete = ByteBuffer(bytes: BackendMessage.parseComplete.bytes)
    private static let closeComplete = ByteBuffer(bytes: BackendMessage.closeComplete.bytes)

    private func take(own tag: UInt8, _ buffer: ByteBuffer, _ range: Range<Int>) {
        let message = buffer.withUnsafeReadableBytes { bytes in
            try? BackendMessage(tag: tag, body: UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
        switch message {
        case .dataRow(let values):
            answer?.rows.append(values.map { $0.map { String(decoding: $0, as: UTF8.self) } })
        case .error(let report):
            answer?.report = report
            if report.isFatal { lastReport = report }
        default: break
        }
    }

    /// A statement of ours that the server has not any more, or can't carry out any more since a table in it is another one than when it was prepared.
    /// Its number is not used again, since the server may still have it; and there are the other statements of this connection.
    private func doubt(_ failed: Exchange.Expected, _ report: Report) {
        guard failed.kind == .bind || failed.kind == .describe, let statement = failed.statement,
            report.code == "26000" || (report.code == "0A000" && report.routine == "RevalidateCachedQuery")
        else { return }
        loop.shelf.forget(statement)
        isSuspect = true
    }

    /// A Parse that did not come about.
    private func undo(_ expected: Exchange.Expected, _ client: ClientConnection?) {
        switch expected.kind {
        case .parse, .ownParse: if let statement = expected.statement { forget(statement) }
        // The server still has what was to make room.
        case .ownClose: isSuspect = true
        case .query, .ownQuery, .knownParse, .bind, .describe, .execute, .closeStatement, .given, .refused,
            .closePortal, .sync:
            break
        }
        client?.didNotHappen(expected)
    }

    private func note(parameter range: Range<Int>, of buffer: ByteBuffer) {
        let message = buffer.withUnsafeReadableBytes { bytes in
            try? BackendMessage(
                tag: BackendTag.parameterStatus,
                body: UnsafeRawBufferPointer(rebasing: bytes[range])
            )
        }
        guard case .parameterStatus(let name, let value) = message else { return }
        var values = parameters.values
        values[name] = value
        parameters = loop.intern(values)
        if answer == nil { client?.told = parameters }
    }

    private func report(_ range: Range<Int>, _ tag: UInt8, of buffer: ByteBuffer) -> Report {
        let message = buffer.withUnsafeReadableBytes { bytes in
            try? BackendMessage(tag: tag, body: UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
        switch message {
        case .error(let report), .notice(let report): return report
        default: return Report(.fatal, "08P01", "the node sent a report that can't be read")
        }
    }
}
