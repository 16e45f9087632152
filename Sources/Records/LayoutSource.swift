/// Knows the layouts of the rows that it has produced.
///
/// A lane's thread asks it for the layout of a fingerprint that the queue's catalogue does not hold yet.
package protocol LayoutSource: AnyObject, Sendable {
    func layout(of fingerprint: Fingerprint) -> RowLayout?
}
