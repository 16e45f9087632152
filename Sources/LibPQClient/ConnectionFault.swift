package import Delivery

/// Why a call on a connection failed.
package enum ConnectionFault: Error, Hashable, Sendable {
    /// The connection could not be made; the text is libpq's.
    case unreachable(String)
    /// Nobody could say which password to send, so nothing was sent; the text says why.
    case noPassword(String)
    /// The connection broke, or the server said something that the exchange does not allow; the connection is of no more use.
    case broken(String)
    /// The deadline passed; what the server makes of the exchange is unknown, and the connection is of no more use.
    case deadline(String)
    /// The ``Interrupt`` was fired; the connection is of no more use.
    case interrupted
    /// The server refused. ``PostgresConnection/isReady`` says whether the connection is still good.
    case server(ServerError)
}

extension ConnectionFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreachable(let text), .noPassword(let text), .broken(let text): text
        case .deadline(let doing): "no answer in time while \(doing)"
        case .interrupted: "broken off, since another node is the primary or the process stops"
        case .server(let error): error.line
        }
    }
}

extension ServerError {
    /// Message, code, detail, context and hint in one line.
    package var line: String {
        var text = "\(message) (SQLSTATE \(sqlState))"
        for part in [detail, context, hint] {
            if let part, !part.isEmpty {
                text += "; " + part.split(whereSeparator: \.isNewline).joined(separator: " ")
            }
        }
        return text
    }
}
