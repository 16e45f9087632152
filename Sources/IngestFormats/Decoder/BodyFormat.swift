/// How the events stand in the body.
package enum BodyFormat: Hashable, Sendable {
    /// A JSON array of objects if the first character is a bracket. Else, if the first line ends within an object, one object over
    /// several lines; else lines as in `lines`.
    case detect
    /// NDJSON: an object a line. Blank lines are skipped, lines may end in CRLF, and the last one need not end.
    case lines
}
