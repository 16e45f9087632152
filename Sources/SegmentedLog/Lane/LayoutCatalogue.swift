internal import FoundationEssentials
package import Records
import Synchronization

/// The layouts of all rows in the queue, by fingerprint, in `<queue>/layouts/<fingerprint>.json`. Any thread may ask.
///
/// A layout is on disk before the first block that names it, and is never removed: a backlog stays readable.
package final class LayoutCatalogue: Sendable {
    private let fileSystem: any FileSystem
    private let directory: String
    private let known: Mutex<[Fingerprint: RowLayout]>

    private init(fileSystem: any FileSystem, directory: String, known: sending [Fingerprint: RowLayout]) {
        self.fileSystem = fileSystem
        self.directory = directory
        self.known = Mutex(known)
    }

    /// Reads the catalogue. Files that are no layouts are left alone, and named in `faults`.
    package static func open(
        _ directory: String,
        on fileSystem: any FileSystem,
        faults: inout [String]
    ) throws(FileFault) -> LayoutCatalogue {
        var known: [Fingerprint: RowLayout] = [:]
        for name in try fileSystem.list(directory) where name.hasSuffix(".json") {
            guard let bytes = try DurableFile.read("\(directory)/\(name)", on: fileSystem),
                let layout = try? JSONDecoder().decode(RowLayout.self, from: Data(bytes)),
                name == "\(layout.fingerprint).json"
            else {
                faults.append("\(directory)/\(name) is not the layout that its name promises")
                continue
            }
            known[layout.fingerprint] = layout
        }
        return LayoutCatalogue(fileSystem: fileSystem, directory: directory, known: known)
    }

    package func layout(of fingerprint: Fingerprint) -> RowLayout? {
        known.withLock { $0[fingerprint] }
    }

    /// Makes the layout lasting; does nothing if it is known.
    package func register(_ layout: RowLayout) throws(LogFault) {
        let fingerprint = layout.fingerprint
        let fault: LogFault? = known.withLock { known in
            guard known[fingerprint] == nil else { return nil }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            guard let data = try? encoder.encode(layout) else {
                return .unreadable(path: directory, reason: "layout \(fingerprint) has no JSON form")
            }
            do throws(FileFault) {
                try DurableFile.replace("\(fingerprint).json", in: directory, with: Array(data), on: fileSystem)
            } catch {
                return .file(error)
            }
            known[fingerprint] = layout
            return nil
        }
        if let fault { throw fault }
    }

    /// Makes sure that the layout of `fingerprint` is lasting, asking `source` for it if it is new here.
    package func ensure(_ fingerprint: Fingerprint, from source: any LayoutSource) throws(LogFault) {
        if known.withLock({ $0[fingerprint] != nil }) { return }
        guard let layout = source.layout(of: fingerprint), layout.fingerprint == fingerprint else {
            throw .unknownLayout(fingerprint)
        }
        try register(layout)
    }

    package var all: [RowLayout] {
        known.withLock { known in known.sorted { $0.key.rawValue < $1.key.rawValue }.map(\.value) }
    }
}
