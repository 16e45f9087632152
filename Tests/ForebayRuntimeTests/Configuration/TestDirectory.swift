import Foundation

/// A directory that is gone when the test ends.
struct TestDirectory {
    let path: String

    func put(_ name: String, _ text: String) throws -> String {
        try put(name, bytes: Array(text.utf8))
    }

    func put(_ name: String, bytes: [UInt8]) throws -> String {
        let file = "\(path)/\(name)"
        try Data(bytes).write(to: URL(filePath: file))
        return file
    }
}

func withDirectory(_ body: (TestDirectory) throws -> Void) throws {
    let path = "\(NSTemporaryDirectory())/forebay-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(TestDirectory(path: path))
}
