import Glibc
import Instruments
import SegmentedLog

/// An open file descriptor; closed when released.
///
/// `pread` and `pwrite` keep no place, so threads do not disturb each other.
final class POSIXFile: File {
    private let descriptor: Int32
    private let path: String
    private let syncLatency: Histogram?

    init(descriptor: Int32, path: String, syncLatency: Histogram?) {
        self.descriptor = descriptor
        self.path = path
        self.syncLatency = syncLatency
    }

    deinit {
        close(descriptor)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileFault) -> Int {
        var done = 0
        while done < buffer.count, let start = buffer.baseAddress {
            let count = pread(descriptor, start + done, buffer.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileFault(last: "pread", path)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileFault) {
        var done = 0
        while done < bytes.count, let start = bytes.baseAddress {
            let count = pwrite(descriptor, start + done, bytes.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileFault(last: "pwrite", path)
            }
            done += count
        }
    }

    func allocate(_ size: Int) throws(FileFault) {
        // posix_fallocate returns its error instead of setting errno.
        var code: Int32
        repeat { code = posix_fallocate(descriptor, 0, off_t(size)) } while code == EINTR
        guard code == 0 else { throw FileFault(operation: "posix_fallocate", path: path, code: code) }
    }

    func truncate(_ size: Int) throws(FileFault) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw FileFault(last: "ftruncate", path) }
    }

    func sync() throws(FileFault) {
        let begin = MonotonicTime.now
        guard fdatasync(descriptor) == 0 else { throw FileFault(last: "fdatasync", path) }
        syncLatency?.record(MonotonicTime.now.microseconds(since: begin))
    }

    func size() throws(FileFault) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileFault(last: "fstat", path) }
        return Int(status.st_size)
    }
}
