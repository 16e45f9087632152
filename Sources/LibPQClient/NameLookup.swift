import Glibc
import Synchronization

/// Where host names lead. The one of the system, or a test's.
package struct NameLookup: Sendable {
    /// The name's IP addresses, in the order in which they are to be tried; empty for a name that is not known now. Blocks, without a deadline.
    package let addresses: @Sendable (String) -> [String]

    package init(_ addresses: @escaping @Sendable (String) -> [String]) {
        self.addresses = addresses
    }

    /// `getaddrinfo`.
    package static let system = NameLookup { name in
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var addresses: [String] = []
        var next = list
        while let entry = next {
            var text = [CChar](repeating: 0, count: 256)
            let info = entry.pointee
            if getnameinfo(info.ai_addr, info.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 {
                let address = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                if !addresses.contains(address) { addresses.append(address) }
            }
            next = info.ai_next
        }
        return addresses
    }

    /// Something that no look-up can change: an IP address, or the directory of a socket.
    static func isFixed(_ host: String) -> Bool {
        var address = in6_addr()
        let bare = host.prefix { $0 != "%" }
        return host.hasPrefix("/") || inet_pton(AF_INET, host, &address) == 1
            || inet_pton(AF_INET6, String(bare), &address) == 1
    }
}

/// Where one name leads at the moment, for somebody who holds a connection to where it led. Never makes anybody wait: each look-up has a thread of its own for as long as it
/// takes, and there is one at a time, so that a name server which says nothing costs a thread that sleeps.
final class NameWatch: Sendable {
    private struct State {
        var isAsking = false
        var asked: ContinuousClock.Instant?
        var addresses: [String] = []
    }

    /// A look-up is repeated no sooner.
    static let pause = Duration.seconds(1)

    private let name: String
    private let lookup: NameLookup
    private let state = Mutex(State())

    init(_ name: String, _ lookup: NameLookup) {
        self.name = name
        self.lookup = lookup
    }

    /// What the last look-up found, which may be nothing; begins the next one if that was a while ago.
    var addresses: [String] {
        let now = ContinuousClock.now
        let (addresses, isDue) = state.withLock { state in
            let isDue = !state.isAsking && state.asked.map { now - $0 >= Self.pause } ?? true
            if isDue {
                state.isAsking = true
                state.asked = now
            }
            return (state.addresses, isDue)
        }
        if isDue { ask() }
        return addresses
    }

    private func ask() {
        let this = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let outcome = pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                let watch = Unmanaged<NameWatch>.fromOpaque(context).takeRetainedValue()
                let found = watch.lookup.addresses(watch.name)
                watch.state.withLock { state in
                    state.isAsking = false
                    // A name that is not known just now leads where it led.
                    if !found.isEmpty { state.addresses = found }
                }
                return nil
            },
            this.toOpaque()
        )
        if outcome == 0 {
            pthread_detach(thread)
        } else {
            this.release()
            state.withLock { $0.isAsking = false }
        }
    }
}
