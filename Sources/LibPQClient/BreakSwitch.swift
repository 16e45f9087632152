import Synchronization
package import Topology

/// Breaks off what a thread's connections wait for: the present one, when it leads to the wrong node; or all for good, when the process stops.
///
/// Any thread may use it.
package final class BreakSwitch: Sendable {
    private struct State {
        var hasEnded = false
        var current: (node: NodeAddress, interrupt: Interrupt)?
    }

    private let state = Mutex(State())

    package init() {}

    /// The interrupt for the next connection, which leads to this node; fired already if all has ended.
    func arm(for node: NodeAddress) -> Interrupt {
        let interrupt = Interrupt()
        let hasEnded = state.withLock { state in
            state.current = (node, interrupt)
            return state.hasEnded
        }
        if hasEnded { interrupt.fire() }
        return interrupt
    }

    /// Ends the waits of the present connection, unless it leads to the right node; nil if none is right.
    package func breakOff(unlessTo node: NodeAddress?) {
        let current = state.withLock { $0.current }
        if let current, current.node != node { current.interrupt.fire() }
    }

    /// Ends the waits of the present connection and of all to come.
    package func end() {
        let current = state.withLock { state in
            state.hasEnded = true
            return state.current
        }
        current?.interrupt.fire()
    }
}
