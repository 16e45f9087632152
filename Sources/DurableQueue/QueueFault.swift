package import SegmentedLog

/// Why the queue could not be opened, or an order to it not be carried out.
package enum QueueFault: Error, Hashable, Sendable {
    /// Another process has the queue open.
    case locked(path: String, holder: String)
    /// The directory holds another format.
    case format(path: String, found: String)
    case configuration(String)
    /// Another queue has taken the directory over.
    case adopted(path: String, by: String)
    /// The directory is not to be taken over; nothing was changed.
    case adoption(String)
    case log(LogFault)
    case thread(name: String, reason: String)
    case closed
}

extension QueueFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .locked(let path, let holder):
            "\(path) is in use by \(holder); a queue directory has one proxy at a time"
        case .format(let path, let found): "\(path): \(found)"
        case .configuration(let complaint): complaint
        case .adopted(let path, let adopter):
            "\(path) was taken over by the queue \(adopter); nothing starts here any more. If its command was cut short, "
                + "run 'forebay queue adopt \(path)' again with that queue's configuration"
        case .adoption(let reason): reason
        case .log(let fault): fault.description
        case .thread(let name, let reason): "could not start the thread \(name): \(reason)"
        case .closed: "the queue is closed"
        }
    }
}
