import Glibc
package import Records
package import SegmentedLog

/// Two queue directories, locked, of which one is to take over the other: steps 1 to 3 of "Adoption" in `SegmentedLog`. What is ordered here is done by the
/// next opening of the adopter's directory.
package struct AdoptionOrder: Sendable {
    package let source: QueueDirectory
    package let directory: QueueDirectory
    private let own: DirectoryLock
    private let other: DirectoryLock
    private let files = POSIXFileSystem()

    /// Locks both directories, and makes the adopter's if there is none.
    ///
    /// - Throws: ``QueueFault/locked(path:holder:)`` if a proxy runs on one of them.
    package init(of source: String, by path: String) throws(QueueFault) {
        guard let real = realpath(source, nil) else {
            throw .adoption("\(source): \(String(cString: strerror(errno)))")
        }
        defer { free(real) }
        self.source = QueueDirectory(String(cString: real))
        directory = QueueDirectory(path)
        do throws(FileFault) {
            try files.createDirectory(path)
        } catch {
            throw .log(.file(error))
        }
        guard !Self.isSame(source, path) else {
            throw .adoption("\(source) is the queue directory of this proxy itself")
        }
        own = try DirectoryLock(path)
        other = try DirectoryLock(self.source.path)
        do throws(FileFault) {
            try directory.create(on: files)
        } catch {
            throw .log(.file(error))
        }
        guard Self.device(self.source.lanes) == Self.device(directory.lanes) else {
            throw .adoption(
                "\(source) is on another file system than \(path); copy it to that one first (cp -a), and take over the copy"
            )
        }
    }

    /// Gives the order. Returns the lanes that will be brought over.
    package func give() throws(QueueFault) -> [LaneKey] {
        var generator = SystemRandomNumberGenerator()
        let id: QueueID
        do throws(LogFault) { id = try directory.settleIdentity(on: files, using: &generator) } catch {
            throw .log(error)
        }
        do throws(AdoptionFault) {
            try QueueAdoption(of: source, by: directory, on: files).order(as: id)
        } catch {
            switch error {
            case .log(let fault): throw .log(fault)
            case .refused(let reason): throw .adoption(reason)
            }
        }
        do throws(FileFault) { return try source.laneKeys(on: files) } catch { throw .log(.file(error)) }
    }

    /// Gives the locks back, so that the queue can be opened.
    package func release() {
        own.release()
        other.release()
    }

    private static func isSame(_ left: String, _ right: String) -> Bool {
        var (one, two) = (stat(), stat())
        return stat(left, &one) == 0 && stat(right, &two) == 0 && one.st_ino == two.st_ino && one.st_dev == two.st_dev
    }

    private static func device(_ path: String) -> dev_t? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_dev : nil
    }
}
