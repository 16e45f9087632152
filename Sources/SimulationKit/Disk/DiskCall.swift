/// The calls of the file system port, by the names that POSIX has for them.
package enum DiskCall: String, Hashable, Sendable, CaseIterable {
    case createDirectory = "mkdir"
    case list = "readdir"
    case open = "open"
    case read = "pread"
    case write = "pwrite"
    case allocate = "posix_fallocate"
    case truncate = "ftruncate"
    case sync = "fdatasync"
    case size = "fstat"
    case rename = "rename"
    case remove = "unlink"
    case syncDirectory = "fsync"
}
