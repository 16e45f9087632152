/// What stops a process, or the machine under it, at a chosen call.
///
/// Every call of a port that changes something passes here; the one at which the fuse blows, and all after it, fail and change nothing more.
/// To the world outside that is the same as a process that is gone.
package final class Fuse {
    /// Calls that still pass; nil lets all pass.
    package var left: Int?
    package private(set) var isBlown = false

    package init() {}

    /// What becomes of a call.
    enum Passage {
        case passes
        /// The fuse blows here: of this call some first part may take effect.
        case blows
        case blown
    }

    func pass() -> Passage {
        if isBlown { return .blown }
        guard let count = left else { return .passes }
        left = count - 1
        guard count <= 0 else { return .passes }
        isBlown = true
        return .blows
    }

    /// Stops everything now.
    package func blow() {
        isBlown = true
    }

    /// The next life begins.
    package func replace() {
        isBlown = false
        left = nil
    }
}
