import Glibc
import LocalPostgres

/// The names in a directory, in order.
func listing(_ directory: String) throws -> [String] {
    guard let stream = opendir(directory) else { throw LocalPostgresFault("\(directory) can't be read") }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if !name.hasPrefix(".") {
            names.append(name)
        }
    }
    return names.sorted()
}

/// The text of a file.
func contents(_ path: String) throws -> String {
    guard let file = fopen(path, "r") else { throw LocalPostgresFault("\(path) can't be read") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
        bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}
