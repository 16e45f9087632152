/// Why a body could not be inflated.
package enum InflateFault: Error, Hashable, Sendable {
    /// More than `limit` bytes come out.
    case tooLarge(limit: Int)
    /// The body ends within the compressed data.
    case truncated
    /// Not that coding, or damaged; `offset` is where in the body that was noticed.
    case damaged(offset: Int, reason: String)
    /// Something stands behind the compressed data, from `offset` on.
    case trailing(offset: Int)
    case outOfMemory
}

extension InflateFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tooLarge(let limit): "the body inflates to more than \(limit) bytes"
        case .truncated: "the compressed body ends before its end"
        case .damaged(let offset, let reason): "the compressed body is damaged at byte \(offset): \(reason)"
        case .trailing(let offset): "something follows the compressed data at byte \(offset)"
        case .outOfMemory: "no memory to inflate the body"
        }
    }
}
