import Synchronization

/// What a proxy does with requests, by a script: for each, in the order of arrival, whether it is stored and how it is answered.
///
/// It keeps what a real one keeps: events on "disk" and the keys it knows, so that a test can count what was lost or doubled.
final class ScriptedProxy: Sendable {
    enum Deed: Hashable, Sendable {
        case accept
        /// Answers with this status, storing nothing.
        case refuse(Int)
        /// Closes the connection, storing nothing.
        case close
        /// Stores, then closes without an answer.
        case storeAndClose
        /// Stores, then closes after a part of the answer.
        case storeAndAnswerHalf
        /// Stores, and never answers.
        case storeAndHang
    }

    struct Disk: Sendable {
        var lines: [String] = []
        var keys: Set<String> = []
        var requests = 0
        var repeats = 0
    }

    struct Answer: Sendable {
        var deed: Deed
        /// Lines of the request.
        var offered: Int
        var accepted: Int
        var body: String
    }

    private let disk = Mutex(Disk())
    private let script: @Sendable (Int) -> Deed
    private let refuses: @Sendable (String) -> Bool
    private let breaksOn: @Sendable (String) -> Bool
    private let loses: @Sendable (Int) -> Bool
    private let forgetsKeys: Bool

    /// - Parameters:
    ///   - refuses: lines that are refused one by one.
    ///   - breaksOn: lines for which the whole request is answered with 400.
    ///   - loses: numbers of requests that are acknowledged and not stored: a broken proxy.
    ///   - forgetsKeys: takes a repeated request for a new one: another broken proxy.
    ///   - script: the deed for the request of each number, counted from 0.
    init(
        refuses: @escaping @Sendable (String) -> Bool = { _ in false },
        breaksOn: @escaping @Sendable (String) -> Bool = { _ in false },
        loses: @escaping @Sendable (Int) -> Bool = { _ in false },
        forgetsKeys: Bool = false,
        script: @escaping @Sendable (Int) -> Deed = { _ in .accept }
    ) {
        self.script = script
        self.refuses = refuses
        self.breaksOn = breaksOn
        self.loses = loses
        self.forgetsKeys = forgetsKeys
    }

    var contents: Disk { disk.withLock { $0 } }

    func take(_ lines: [String], key: String?) -> Answer {
        disk.withLock { disk in
            var deed = script(disk.requests)
            let isLost = loses(disk.requests)
            disk.requests += 1
            if deed == .accept, lines.contains(where: breaksOn) {
                deed = .refuse(400)
            }
            switch deed {
            case .close, .refuse:
                return Answer(deed: deed, offered: lines.count, accepted: 0, body: "{\"detail\":\"scripted\"}")
            case .accept, .storeAndClose, .storeAndAnswerHalf, .storeAndHang: break
            }
            let good = lines.filter { !refuses($0) }
            let errors = lines.indices.filter { refuses(lines[$0]) }.map { "{\"index\":\($0),\"reason\":\"bad\"}" }
            let isKnown = key.map { !disk.keys.insert($0).inserted && !forgetsKeys } ?? false
            if isKnown {
                disk.repeats += 1
            } else if !isLost {
                disk.lines += good
            }
            let repeated = isKnown ? ",\"repeated\":true" : ""
            let refused =
                errors.isEmpty ? "" : ",\"refused\":\(errors.count),\"errors\":[\(errors.joined(separator: ","))]"
            let body = "{\"accepted\":\(good.count)\(repeated)\(refused)}"
            return Answer(deed: deed, offered: lines.count, accepted: good.count, body: body)
        }
    }
}
