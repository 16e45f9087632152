import Glibc

/// Where PostgreSQL's programs are: Debian keeps the server's apart from the path, by version.
package struct PostgresPrograms: Hashable, Sendable {
    /// The directory of `initdb`, `pg_ctl` and `postgres`.
    package let directory: String

    /// The programs of the newest installed version.
    package static func find() throws(LocalPostgresFault) -> PostgresPrograms {
        let root = "/usr/lib/postgresql"
        let versions = names(in: root).compactMap { Int($0) }.sorted(by: >)
        let places = versions.map { "\(root)/\($0)/bin" } + ["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"]
        guard let found = places.first(where: { access("\($0)/initdb", X_OK) == 0 }) else {
            throw LocalPostgresFault(
                "PostgreSQL's server is not installed: no initdb in \(places.joined(separator: ", ")); "
                    + "on Debian or Ubuntu: apt-get install postgresql"
            )
        }
        return PostgresPrograms(directory: found)
    }

    func path(_ program: String) -> String { "\(directory)/\(program)" }
}

/// The names in a directory but for those that begin with a dot; none if it can't be read.
func names(in directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if !name.hasPrefix(".") {
            names.append(name)
        }
    }
    return names
}
