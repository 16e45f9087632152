/// The file system as the log sees it. `DurableQueue` has the POSIX one; tests have one that loses, tears and refuses.
///
/// Paths are absolute or relative to the process; parts are separated by "/". Calls block, and are made on a lane's own thread
/// or during start, never on an event loop.
package protocol FileSystem: Sendable {
    /// Creates the directory if it is not there, and makes its name lasting in either case.
    func createDirectory(_ path: String) throws(FileFault)
    /// The names in a directory, in no particular order, without "." and "..".
    func list(_ path: String) throws(FileFault) -> [String]
    func open(_ path: String, _ mode: OpenMode) throws(FileFault) -> any File
    /// Atomically gives the file a new name in the same file system, replacing what was there. Lasting after `syncDirectory`.
    func rename(_ path: String, to newPath: String) throws(FileFault)
    func remove(_ path: String) throws(FileFault)
    /// Makes creations, renames and removals in the directory lasting.
    func syncDirectory(_ path: String) throws(FileFault)
    /// Bytes that an ordinary process may still allocate on the file system that holds `path`.
    func availableBytes(at path: String) throws(FileFault) -> Int
}

package enum OpenMode: Hashable, Sendable {
    /// An existing file, for reading.
    case read
    /// An existing file, for reading and writing.
    case readWrite
    /// A new file, for reading and writing; fails with EEXIST if the name is taken.
    case create
}

/// An open file; closed when released. One thread writes it; others may read what was written before they were told of it.
package protocol File: AnyObject, Sendable {
    /// Reads up to `buffer.count` bytes; fewer only at the end of the file. Returns the bytes read.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileFault) -> Int
    /// Writes all of `bytes` or throws; after a throw any part may have been written.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileFault)
    /// Reserves space up to `size` bytes and extends the file to it (`posix_fallocate`): later writes below it need no space.
    func allocate(_ size: Int) throws(FileFault)
    /// Sets the size, giving back what lies beyond.
    func truncate(_ size: Int) throws(FileFault)
    /// `fdatasync`. After a throw nothing is known of what was written since the last success, and it is never tried again.
    func sync() throws(FileFault)
    func size() throws(FileFault) -> Int
}

/// A failed call of the operating system.
package struct FileFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call: "open", "write", "fdatasync".
    package var operation: String
    package var path: String
    /// The `errno` of the call.
    package var code: Int32
    /// The text of `code`, as the system puts it.
    package var message: String

    package init(operation: String, path: String, code: Int32, message: String) {
        self.operation = operation
        self.path = path
        self.code = code
        self.message = message
    }

    package var description: String { "\(operation) \(path): \(message) (errno \(code))" }
}
