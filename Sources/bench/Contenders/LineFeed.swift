import Dispatch
import ProvingGround

/// Sends text to a server that answers nothing, as fast as the server reads.
enum LineFeed {
    /// Each part over a connection of its own; returns when the server has closed them all, which it does after their last line.
    static func send(_ parts: [[UInt8]], to port: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for part in parts {
                group.addTask {
                    // Blocking calls belong on threads of their own.
                    try await withCheckedThrowingContinuation { continuation in
                        DispatchQueue.global().async {
                            continuation.resume(with: Result { try send(part, to: port) })
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    static func canConnect(to port: Int) -> Bool {
        (try? LoopbackSocket(port: port, patience: 0)) != nil
    }

    private static func send(_ bytes: [UInt8], to port: Int) throws {
        let socket = try LoopbackSocket(port: port, patience: 0)
        try socket.send(bytes)
        socket.endSending()
        guard try socket.receive().isEmpty else {
            throw YardFault("the server answers, and did not close the connection")
        }
    }
}
