import NIOCore
import PostgresWire

/// A statement that was prepared over the protocol, by whatever names the clients know it: one per text, parameter types and settings that it is read
/// under on a loop; or one of a single client.
final class PreparedStatement {
    /// Unique on its loop; the backends know the statement by it.
    let number: Int
    /// The name on backends, without a NUL.
    let serverName: [UInt8]
    /// A Parse message with the server's name.
    let parse: ByteBuffer
    let traits: StatementTraits
    /// ``SessionSettings/reading`` of those who share it; nil if nobody does.
    let reading: String?

    /// Of all names on backends.
    static let prefix = "forebay:"

    /// - Parameter tail: the Parse message's body behind the name: the text, its NUL, and the types.
    init(number: Int, tail: ByteBufferView, reading: String?, traits: StatementTraits) {
        self.number = number
        self.traits = traits
        self.reading = reading
        serverName = Array("\(Self.prefix)\(number)".utf8)
        var buffer = ByteBuffer()
        buffer.writeInteger(FrontendTag.parse)
        buffer.writeInteger(Int32(4 + serverName.count + 1 + tail.count))
        buffer.writeBytes(serverName)
        buffer.writeInteger(0 as UInt8)
        buffer.writeBytes(tail)
        parse = buffer
    }

    /// What it was made of.
    var tail: ByteBufferView { parse.readableBytesView.dropFirst(MessageHeader.bytes + serverName.count + 1) }
}

/// The statements of a loop by what they are. One that nobody has used for long goes when room is needed; clients and backends that still hold
/// it are not disturbed.
///
/// Owner: one event loop.
struct StatementShelf {
    private struct Key: Hashable {
        let tail: [UInt8]
        let reading: String

        /// The text is in the statement too.
        var bytes: Int { 2 * tail.count + reading.utf8.count }
    }

    private var statements: [Key: PreparedStatement] = [:]
    private var count = 0
    private var bytes = 0
    private let limit: Int
    private let limitBytes: Int

    /// - Parameter limitBytes: of texts, each of which is kept twice, and of the settings that they are read under.
    init(limit: Int, limitBytes: Int) {
        self.limit = limit
        self.limitBytes = limitBytes
    }

    /// - Parameter reading: ``SessionSettings/reading`` of the session as it is now; nil makes a statement that is not shared.
    mutating func statement(
        tail: ByteBufferView,
        reading: String?,
        traits: @autoclosure () -> StatementTraits
    ) -> PreparedStatement {
        guard let reading else {
            count += 1
            return PreparedStatement(number: count, tail: tail, reading: nil, traits: traits())
        }
        let key = Key(tail: Array(tail), reading: reading)
        if let known = statements[key] { return known }
        // What is forgotten here is only not shared any more.
        if statements.count >= limit || bytes + key.bytes > limitBytes {
            statements.removeAll()
            bytes = 0
        }
        count += 1
        bytes += key.bytes
        let statement = PreparedStatement(number: count, tail: tail, reading: reading, traits: traits())
        statements[key] = statement
        return statement
    }

    /// From here on the text is another statement, with another number.
    mutating func forget(_ statement: PreparedStatement) {
        guard let reading = statement.reading else { return }
        let key = Key(tail: Array(statement.tail), reading: reading)
        guard statements[key] === statement else { return }
        statements[key] = nil
        bytes -= key.bytes
    }
}
