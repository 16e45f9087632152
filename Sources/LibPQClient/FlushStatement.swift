package import Delivery
package import Records

/// The one string of SQL that a flush is: the ledger's step, a `COPY` for each part, whether each read the types that its rows have, and the
/// transaction around them.
package enum FlushStatement {
    /// The isolation level is named because the ledger's compare-and-set relies on it: under `READ COMMITTED` an update looks at the
    /// row again after waiting for another writer; and because the look at the types sees what was committed before the locks were had.
    package static func text(of flush: Flush) -> String {
        var sql = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT forebay.advance('\(flush.lane.queue)', "
        sql += "\(flush.lane.lane), \(flush.epoch), \(flush.from), \(flush.to)); "
        for part in flush.parts {
            let columns = part.layout.columns.map { quoteIdentifier($0.name) }.joined(separator: ", ")
            sql += "COPY \(part.layout.table.quoted) (\(columns)) FROM STDIN (FORMAT binary); "
        }
        // Behind the last COPY: their locks keep the types from here to the end.
        for part in flush.parts {
            sql += "EXECUTE \(TableTypes.guardName(part.layout.fingerprint)); "
        }
        return sql + "COMMIT"
    }

    package static func claim(_ lane: LaneKey) -> String {
        "SELECT epoch, position FROM forebay.claim('\(lane.queue)', \(lane.lane))"
    }

    /// The lane's row as it is, without claiming.
    package static func look(_ lane: LaneKey) -> String {
        "SELECT epoch, position FROM forebay.ledger WHERE queue = '\(lane.queue)' AND lane = \(lane.lane)"
    }
}

/// The frame of binary COPY data (PostgreSQL manual, "COPY", "Binary Format").
enum CopyFrame {
    /// Signature, flags (none) and length of the header extension (none).
    static let header: [UInt8] = [
        0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00,
        0, 0, 0, 0,
        0, 0, 0, 0,
    ]
    /// A field count of -1.
    static let trailer: [UInt8] = [0xFF, 0xFF]
}
