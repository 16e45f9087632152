package import Records

/// What can go wrong with a lane's files.
package enum LogFault: Error, Hashable, Sendable {
    /// A call of the operating system failed.
    case file(FileFault)
    /// The budget, or the file system, has no room for another segment.
    case full
    /// Data is encrypted under a key that the configuration does not have. Nothing is lost: add the key and start again.
    case missingKey(id: String)
    /// libcrypto refused.
    case cipher(String)
    /// No source knows the layout of these rows.
    case unknownLayout(Fingerprint)
    /// A file is there but is not what it should be.
    case unreadable(path: String, reason: String)
}

extension LogFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .file(let fault): fault.description
        case .full: "no room for another segment within the disk budget"
        case .missingKey(let id):
            "encryption key \"\(id)\" is needed to read the queue but is not configured; add it and start again, nothing is lost"
        case .cipher(let reason): "encryption failed: \(reason)"
        case .unknownLayout(let fingerprint): "no layout is known for fingerprint \(fingerprint)"
        case .unreadable(let path, let reason): "\(path): \(reason)"
        }
    }
}
