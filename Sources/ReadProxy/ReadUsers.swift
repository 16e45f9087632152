package import PostgresWire

/// Who may log in, by SCRAM verifiers. Passwords are turned into verifiers when they are read.
package struct ReadUsers: Sendable {
    private var verifiers: [String: ScramVerifier] = [:]

    package init() {}

    package mutating func add(_ name: String, _ verifier: ScramVerifier) {
        verifiers[name] = verifier
    }

    package subscript(_ name: String) -> ScramVerifier? { verifiers[name] }
    package var count: Int { verifiers.count }

    /// Why a file of users can't be taken.
    package struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        /// 0 is the file as a whole.
        package var line: Int
        package var reason: String

        package var description: String { line == 0 ? reason : "line \(line): \(reason)" }
    }

    /// Lines of a name, a space, and a verifier as PostgreSQL stores it or a password; `#` begins a comment.
    ///
    /// Takes some milliseconds for each password.
    ///
    /// - Parameter salt: 16 random bytes for each password.
    package init(parsing bytes: [UInt8], salt: () -> [UInt8]) throws(Fault) {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Fault(line: 0, reason: "it is not UTF-8")
        }
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = line.hasSuffix("\r") ? line.dropLast() : line
            guard let first = line.first, first != "#" else { continue }
            guard let space = line.firstIndex(of: " "), space > line.startIndex else {
                throw Fault(line: index + 1, reason: "a line is a name, a space, and a verifier or a password")
            }
            let name = String(line[..<space])
            let secret = line[line.index(after: space)...]
            guard verifiers[name] == nil else { throw Fault(line: index + 1, reason: "\(name) stands here twice") }
            guard !secret.isEmpty else { throw Fault(line: index + 1, reason: "\(name) has no password") }
            if secret.hasPrefix("\(ScramVerifier.mechanism)$") {
                guard let verifier = ScramVerifier(secret) else {
                    throw Fault(line: index + 1, reason: "\(name) has a verifier that is not in PostgreSQL's form")
                }
                verifiers[name] = verifier
            } else {
                verifiers[name] = ScramVerifier(password: String(secret), salt: salt())
            }
        }
    }
}
