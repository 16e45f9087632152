import PostgresWire
import Synchronization

/// Who is connected, over all loops: for the limits, and for cancel requests, which come over a connection of their own to any loop.
///
/// Any loop may call it.
final class ClientRegistry: Sendable {
    private struct Entry {
        var secret: [UInt8]
        var loop: ReadLoop
    }

    /// The loops hold the registry.
    private struct Peer {
        weak var loop: ReadLoop?
    }

    private struct State {
        var count = 0
        var users: [String: Int] = [:]
        var keys: [Int32: Entry] = [:]
        var loops: [Peer] = []
    }

    private let limit: Int
    private let limitPerUser: Int
    private let state = Mutex(State())

    init(limit: Int, limitPerUser: Int) {
        self.limit = limit
        self.limitPerUser = limitPerUser
    }

    func add(_ loop: ReadLoop) {
        state.withLock { $0.loops.append(Peer(loop: loop)) }
    }

    /// All of the port.
    var loops: [ReadLoop] { state.withLock { $0.loops.compactMap(\.loop) } }

    /// Counts a connection in; false, and nothing counted, if there are too many.
    func enter() -> Bool {
        state.withLock { state in
            guard state.count < limit else { return false }
            state.count += 1
            return true
        }
    }

    func leave() {
        state.withLock { $0.count -= 1 }
    }

    /// Counts a user's connection in and gives it a key; nil, and nothing counted, if the user has too many.
    func login(_ user: String, on loop: ReadLoop, secretBytes: Int) -> CancelKey? {
        var random = SystemRandomNumberGenerator()
        let secret = (0..<secretBytes).map { _ in UInt8.random(in: 0...255, using: &random) }
        return state.withLock { state in
            guard state.users[user, default: 0] < limitPerUser else { return nil }
            var process = Int32.random(in: 1...Int32.max, using: &random)
            while state.keys[process] != nil { process = Int32.random(in: 1...Int32.max, using: &random) }
            state.users[user, default: 0] += 1
            state.keys[process] = Entry(secret: secret, loop: loop)
            return CancelKey(process: process, secret: secret)
        }
    }

    func logout(_ user: String, _ key: CancelKey) {
        state.withLock { state in
            state.keys[key.process] = nil
            let left = state.users[user, default: 1] - 1
            state.users[user] = left > 0 ? left : nil
        }
    }

    /// The loop of the client that has this key; nil if nobody has.
    func loop(of key: CancelKey) -> ReadLoop? {
        guard let entry = state.withLock({ $0.keys[key.process] }), entry.secret.count == key.secret.count else {
            return nil
        }
        var difference: UInt8 = 0
        for (left, right) in zip(entry.secret, key.secret) { difference |= left ^ right }
        return difference == 0 ? entry.loop : nil
    }
}
