/// What a fault does to the other events of the body.
package enum OnError: Hashable, Sendable {
    /// One fault refuses them all; the search for faults goes on, so that the answer can list them.
    case refuseAll
    /// Every event stands for itself.
    case skip
}
