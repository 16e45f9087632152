package import DurableQueue
import SegmentedLog
import Topology

extension QueueWorkshop {
    /// With the files that this module keeps in the directory.
    package init(path: String) throws(QueueFault) {
        let cluster = QueueRepair.Replaceable(name: ClusterMemory.fileName) { bytes in
            do throws(ClusterMemory.Fault) {
                _ = try ClusterMemory(decoding: bytes)
                return nil
            } catch {
                return error.description
            }
        }
        try self.init(path: path, replaceable: [cluster])
    }

    /// What is wrong with the marks of a renewal, which have no remedy; nil if nothing is.
    package static func renewalComplaint(path: String) -> String? {
        do throws(FileFault) {
            _ = try LaneMarkFile(.reused, directory: path).readAll()
            _ = try LaneMarkFile(.opened, directory: path).readAll()
            return nil
        } catch {
            return error.description
        }
    }
}
