import NIOCore
import PostgresWire

/// A statement that was prepared over the protocol, by whatever names the clients know it: one per text and parameter types on a loop.
final class PreparedStatement {
    /// Unique on its loop; the backends know the statement by it.
    let number: Int
    /// The name on backends, without a NUL.
    let serverName: [UInt8]
    /// A Parse message with the server's name.
    let parse: ByteBuffer
    let traits: StatementTraits

    /// Of all names on backends.
    static let prefix = "forebay:"

    /// - Parameter tail: the Parse message's body behind the name: the text, its NUL, and the types.
    init(number: Int, tail: ByteBufferView, traits: StatementTraits) {
        self.number = number
        self.traits = traits
        serverName = Array("\(Self.prefix)\(number)".utf8)
        var buffer = ByteBuffer()
        buffer.writeInteger(FrontendTag.parse)
        buffer.writeInteger(Int32(4 + serverName.count + 1 + tail.count))
        buffer.writeBytes(serverName)
        buffer.writeInteger(0 as UInt8)
        buffer.writeBytes(tail)
        parse = buffer
    }
}

/// The statements of a loop by what they are. One that nobody has used for long goes when room is needed; clients and backends that still hold
/// it are not disturbed.
///
/// Owner: one event loop.
struct StatementShelf {
    private var statements: [[UInt8]: PreparedStatement] = [:]
    private var count = 0
    private var bytes = 0
    private let limit: Int
    private let limitBytes: Int

    /// - Parameter limitBytes: of texts, each of which is kept twice.
    init(limit: Int, limitBytes: Int) {
        self.limit = limit
        self.limitBytes = limitBytes
    }

    mutating func statement(tail: ByteBufferView, traits: @autoclosure () -> StatementTraits) -> PreparedStatement {
        let key = Array(tail)
        if let known = statements[key] { return known }
        // What is forgotten here is only not shared any more.
        if statements.count >= limit || bytes + 2 * key.count > limitBytes {
            statements.removeAll()
            bytes = 0
        }
        count += 1
        bytes += 2 * key.count
        let statement = PreparedStatement(number: count, tail: tail, traits: traits())
        statements[key] = statement
        return statement
    }
}
