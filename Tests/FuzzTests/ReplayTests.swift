// Method: everything that a fuzzer begins with, and everything that one has found, goes through the same function in every run of the
// tests. A file below Findings is named for what it showed; its fault was mended before the file came here.

import Foundation
import FuzzTargets
import Testing

@Suite struct ReplayTests {
    @Test(arguments: FuzzTarget.allCases)
    func whatFuzzersBeginWithKeepsThePromises(_ target: FuzzTarget) throws {
        let inputs = try Inputs.of(target.rawValue, in: "Seeds")
        #expect(!inputs.isEmpty, "\(target) has no seeds")
        for input in inputs { try replay(input, target) }
    }

    @Test(arguments: FuzzTarget.allCases)
    func whatFuzzersFoundStaysMended(_ target: FuzzTarget) throws {
        for input in try Inputs.of(target.rawValue, in: "Findings") { try replay(input, target) }
    }

    /// A target that could not fail would prove nothing.
    @Test func aBrokenPromiseIsAFinding() {
        #expect(throws: Finding.self) { try promise(false, "broken") }
        #expect(throws: Never.self) { try promise(true, "kept") }
    }

    private func replay(_ input: Inputs.Input, _ target: FuzzTarget) throws {
        #expect(throws: Never.self, "\(target) \(input.name)") { try target.run(input.bytes) }
    }
}

/// The files beside this one.
enum Inputs {
    struct Input {
        var name: String
        var bytes: [UInt8]
    }

    /// By name; empty if there is no such folder.
    static func of(_ target: String, in kind: String) throws -> [Input] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "\(kind)/\(target)")
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path()) else { return [] }
        return try names.sorted().map { name in
            Input(name: name, bytes: Array(try Data(contentsOf: folder.appending(path: name))))
        }
    }
}
