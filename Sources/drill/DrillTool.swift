import ArgumentParser
import ProvingGround

/// Failures on purpose, on real processes and a real PostgreSQL, with a count at the end.
@main
struct DrillTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drill",
        abstract: "Break something under load, then count the rows.",
        discussion: """
            Each drill starts a cluster and a proxy of its own, on free ports of loopback, and prints what it found: events sent, \
            acknowledged and in PostgreSQL, lost and doubled ones, the longest gap in acknowledgements, and, where a node was \
            promoted, the time from there to the first commit on it. It ends with status 1 if an acknowledged event is missing, or \
            doubled although its batch had an idempotency key, and with 69 if it can't be run here.

              make drills
              make drill NAME=proxy-kill
              make drill NAME=postgres-restart ROUNDS=20
              make drill NAME=backlog GIB=5
            """,
        subcommands: [
            All.self, Baseline.self, ProxyKill.self, PrimaryKillPromote.self, PrimaryHang.self, TwoWriters.self,
            Switchover.self, ReplicaKill.self, LinkCut.self, Restore.self, DiskFull.self, FsyncError.self, Poison.self,
            BothCrash.self, Soak.self, PostgresRestart.self, Backlog.self, Parked.self, Retyped.self, OldImage.self,
            Adopt.self, CorruptBlock.self, Nginx.self, Opening.self, SyscallKill.self, SyscallFail.self,
            ReplicaKillUnderRead.self, ReplicaLag.self, PromoteUnderRead.self, AllReplicasGone.self,
            IdleReaders.self,
        ]
    )

    static func main() {
        Interruption.exitInOrder()
        main(nil)
    }
}
