import Foundation
import Glibc
import ProvingGround

/// A second stream beside `apirequests`, into a table whose columns a drill chooses.
extension Yard.Plan {
    /// - Parameter columns: as `CREATE TABLE` takes them.
    mutating func addReadings(_ columns: String) {
        streams += "\n  readings: { table: public.readings }"
        preparation = "CREATE TABLE readings (\(columns))"
    }
}

extension Yard {
    /// What an operator does once the table takes the rows again that went aside.
    func retryReadings() throws {
        let answer = try capture(
            "\(programs)/forebay",
            ["dlq", "retry", "--stream", "readings", "--config", configuration]
        )
        print(answer.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    func waitForReadings(_ count: Int) throws {
        try waitUntil("the rows are in PostgreSQL", within: 120) {
            let rows = Int(try query("SELECT count(*) FROM readings"))
            if rows != count { usleep(200_000) }
            return rows == count
        }
    }
}
