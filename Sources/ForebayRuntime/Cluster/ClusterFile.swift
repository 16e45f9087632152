import DurableQueue
import SegmentedLog
import Topology

extension ForebayConfiguration {
    /// The system identifier of the cluster that the proxy of this queue directory remembers; nil if it does not, or if the directory can't be read
    /// from here.
    package var rememberedSystem: UInt64? {
        (try? ClusterFile(directory: queue.path).read().get())?.systemIdentifier
    }
}

/// The file of the queue directory in which the cluster is remembered. Its form is ``ClusterMemory``'s.
struct ClusterFile: Sendable {
    private let directory: String
    private let files: any FileSystem

    init(directory: String, files: any FileSystem = POSIXFileSystem()) {
        self.directory = directory
        self.files = files
    }

    private var path: String { "\(directory)/\(ClusterMemory.fileName)" }

    /// nil if nothing has been remembered yet.
    func read() -> Result<ClusterMemory?, ClusterMemory.Fault> {
        let bytes: [UInt8]?
        do throws(FileFault) {
            bytes = try DurableFile.read(path, on: files)
        } catch {
            if error.isMissing { return .success(nil) }
            return .failure(ClusterMemory.Fault(description: "\(error)"))
        }
        do throws(ClusterMemory.Fault) {
            return .success(try ClusterMemory(decoding: bytes ?? []))
        } catch {
            return .failure(
                ClusterMemory.Fault(
                    description:
                        "\(path): \(error); see which node is the primary, then remove the file: it is made anew from what answers"
                )
            )
        }
    }

    func write(_ memory: ClusterMemory) throws(FileFault) {
        try DurableFile.replace(ClusterMemory.fileName, in: directory, with: memory.encoded, on: files)
    }
}
