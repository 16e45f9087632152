import Foundation
import Glibc
import LocalPostgres
import ProvingGround

/// A pgbouncer in front of one node, which ends with the yard.
struct PgBouncer {
    let port: Int
    let process: ChildProcess

    /// Starts it, and waits until it answers.
    init(_ conditions: Conditions, _ yard: Yard, in node: LocalNode, poolSize: Int) throws {
        let port = try LoopbackPort.free()
        let file = "\(yard.directory)/pgbouncer.ini"
        let users = "\(yard.directory)/pgbouncer.users"
        // As root it insists on becoming somebody else, who has to be able to read who may come in.
        let user = geteuid() == 0 ? "postgres" : NSUserName()
        try Template.fill(
            "\(conditions.rivals)/pgbouncer.ini",
            [
                "DATABASE": Yard.database, "DBHOST": node.host, "DBPORT": "\(node.port)", "PORT": "\(port)",
                "USERS": users, "USER": user, "POOL": "\(poolSize)",
            ],
            to: file
        )
        try Data("\"apm_reader\" \"\(yard.readerPassword)\"\n".utf8).write(to: URL(filePath: users))
        chmod(users, 0o600)
        if let owner = getpwnam(user) { chown(users, owner.pointee.pw_uid, owner.pointee.pw_gid) }
        let log = "\(yard.directory)/pgbouncer.log"
        let process = try ChildProcess("/usr/sbin/pgbouncer", [file], name: "pgbouncer", log: log)
        yard.onRemoval {
            process.signal(SIGTERM)
            process.wait()
        }
        let reader = try yard.reader.merging(["PGPORT": "\(port)"]) { $1 }
        try waitUntil("pgbouncer answers", within: 10) {
            guard process.isRunning else { throw YardFault("pgbouncer did not start; see \(log)") }
            return try outcome(of: "psql", ["-XAtqc", "SELECT 1"], environment: reader).status == 0
        }
        self.port = port
        self.process = process
    }
}
