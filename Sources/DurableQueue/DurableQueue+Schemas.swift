internal import FoundationEssentials
package import Records
package import SegmentedLog

extension DurableQueue {
    /// Makes a layout lasting, so that rows of it can be read back at any time. Blocks until it is.
    package func register(_ layout: RowLayout) throws(LogFault) {
        try context.layouts.register(layout)
    }

    /// The layout that a fingerprint stands for; nil if it is not known here.
    package func layout(of fingerprint: Fingerprint) -> RowLayout? {
        context.layouts.layout(of: fingerprint)
    }

    /// Keeps a schema as PostgreSQL's catalogue has it, for a start while PostgreSQL is away.
    package func cache(_ schema: StreamSchema) throws(LogFault) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        guard let data = try? encoder.encode(schema) else {
            throw .unreadable(path: directory.schemas, reason: "the schema of \(schema.stream) has no JSON form")
        }
        do throws(FileFault) {
            try DurableFile.replace(
                Self.schemaFile(schema.stream),
                in: directory.schemas,
                with: Array(data),
                on: context.fileSystem
            )
        } catch {
            throw .file(error)
        }
    }

    /// The schemas kept by `cache`, by stream. Files that are none are left alone.
    package func cachedSchemas() throws(LogFault) -> [StreamSchema] {
        var schemas: [StreamSchema] = []
        do throws(FileFault) {
            for name in try context.fileSystem.list(directory.schemas) where name.hasSuffix(".json") {
                guard let bytes = try DurableFile.read("\(directory.schemas)/\(name)", on: context.fileSystem),
                    let schema = try? JSONDecoder().decode(StreamSchema.self, from: Data(bytes)),
                    Self.schemaFile(schema.stream) == name
                else { continue }
                schemas.append(schema)
            }
        } catch {
            throw .file(error)
        }
        return schemas.sorted { $0.stream < $1.stream }
    }

    /// A file name for a stream: letters, digits, "-" and "_" stand for themselves, all else as "%" and two hex digits.
    static func schemaFile(_ stream: String) -> String {
        var name = ""
        for byte in stream.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: name.unicodeScalars.append(Unicode.Scalar(byte))
            default: name += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return name + ".json"
    }
}
