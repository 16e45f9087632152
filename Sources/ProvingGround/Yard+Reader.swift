import Foundation

/// What a client of the read port needs.
extension Yard {
    package var readerPassword: String {
        get throws { try String(contentsOfFile: "\(directory)/reader", encoding: .utf8) }
    }

    /// libpq's environment for the reader at the read port.
    package var reader: [String: String] {
        get throws {
            [
                "PGHOST": "127.0.0.1", "PGPORT": "\(readPort)", "PGUSER": "apm_reader", "PGDATABASE": Self.database,
                "PGPASSWORD": try readerPassword,
            ]
        }
    }

    package func readClient() throws -> WireClient {
        let client = try WireClient(port: readPort)
        try client.login(user: "apm_reader", password: try readerPassword)
        return client
    }
}
