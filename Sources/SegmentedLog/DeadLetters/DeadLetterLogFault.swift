/// Why the dead-letter store did not do what it was asked. Nothing of the call is in its index then.
package enum DeadLetterLogFault: Error, Hashable, Sendable, CustomStringConvertible {
    case file(FileFault)
    /// The files hold `bytes`, and the letters would take them beyond `limit`.
    case full(bytes: Int, limit: Int)
    /// `ranges` separate ranges of positions are remembered, as many as memory is set aside for.
    case tooManyRanges(Int)
    /// A letter whose positions are recorded in part only.
    case overlaps(String)
    /// A letter of more bytes than a frame holds.
    case tooLarge(bytes: Int, limit: Int)
    /// The rows of a letter are not what was recorded.
    case corruptRows(LetterID)
    /// The letters of a directory that is being taken over can't be brought over.
    case adoption(LogFault)
    /// The letter stands elsewhere now, since its file was written anew; a new listing finds it.
    case moved(LetterID)

    package var description: String {
        switch self {
        case .file(let fault): fault.description
        case .full(let bytes, let limit):
            "the dead-letter files hold \(bytes) bytes of at most \(limit); retry or discard letters "
                + "(forebay dlq retry, forebay dlq discard)"
        case .tooManyRanges(let ranges):
            "\(ranges) ranges of dead-lettered positions are remembered, the most there may be until the queue is trimmed"
        case .overlaps(let position): "the letter at \(position) is recorded in part"
        case .tooLarge(let bytes, let limit): "a letter of \(bytes) bytes; a frame holds \(limit)"
        case .corruptRows(let id): "the rows of letter \(id) fail their checksum"
        case .adoption(let fault): fault.description
        case .moved(let id): "letter \(id) was moved by a compaction"
        }
    }
}
