package import Topology

/// Who says which node is written to. There is one for all lanes; any thread may ask.
package protocol PrimaryDirectory: Sendable {
    /// As of the last look at the nodes.
    var choice: PrimaryChoice { get }
    /// Something speaks against the choice: all nodes are looked at, at once. Returns without waiting for that.
    func lookAgain()
}
