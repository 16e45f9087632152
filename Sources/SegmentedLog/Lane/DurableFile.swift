/// Small files that are replaced as a whole.
package enum DurableFile {
    /// The largest file that `read` takes.
    package static let maximumBytes = 256 << 20

    /// Makes `bytes` the content of `directory/name`; after the return a crash leaves the new content, before it the old or the new.
    package static func replace(
        _ name: String,
        in directory: String,
        with bytes: [UInt8],
        on fileSystem: any FileSystem
    ) throws(FileFault) {
        try write(name, in: directory, bytes, on: fileSystem, lasting: true)
    }

    /// The same without forcing it to the disk: a crash may leave the new content, the old, or rubbish.
    package static func replaceLoosely(
        _ name: String,
        in directory: String,
        with bytes: [UInt8],
        on fileSystem: any FileSystem
    ) throws(FileFault) {
        try write(name, in: directory, bytes, on: fileSystem, lasting: false)
    }

    private static func write(
        _ name: String,
        in directory: String,
        _ bytes: [UInt8],
        on fileSystem: any FileSystem,
        lasting: Bool
    ) throws(FileFault) {
        let path = "\(directory)/\(name)"
        let temporary = path + ".new"
        if try fileSystem.list(directory).contains(name + ".new") {
            try fileSystem.remove(temporary)
        }
        let file = try fileSystem.open(temporary, .create)
        try write(bytes, to: file)
        if lasting { try file.sync() }
        try fileSystem.rename(temporary, to: path)
        if lasting { try fileSystem.syncDirectory(directory) }
    }

    /// Writes an array at the beginning of a file.
    static func write(_ bytes: [UInt8], to file: any File) throws(FileFault) {
        var fault: FileFault?
        bytes.withUnsafeBytes { buffer in
            do throws(FileFault) { try file.write(buffer, at: 0) } catch { fault = error }
        }
        if let fault { throw fault }
    }

    /// The whole content of a file; nil if it is larger than any file that is read this way.
    package static func read(_ path: String, on fileSystem: any FileSystem) throws(FileFault) -> [UInt8]? {
        let file = try fileSystem.open(path, .read)
        let size = try file.size()
        guard size <= maximumBytes else { return nil }
        return try read(file, at: 0, count: size)
    }

    /// Up to `count` bytes from `offset`; fewer only at the end of the file.
    static func read(_ file: any File, at offset: Int, count: Int) throws(FileFault) -> [UInt8] {
        var fault: FileFault?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            do throws(FileFault) {
                initialized = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            } catch {
                fault = error
                initialized = 0
            }
        }
        if let fault { throw fault }
        return bytes
    }
}

extension FileFault {
    /// ENOSPC or EDQUOT: there is no room, which is a state and not a defect.
    package var isOutOfSpace: Bool { code == 28 || code == 122 }

    /// ENOENT: the file is not there.
    package var isMissing: Bool { code == 2 }
}
