// Method: read the import lines of every source file below Sources and hold them against the table of design section 9.
// The compiler does not refuse an undeclared import of a sibling target that happens to be built already; this does.

import Foundation
import Testing

@Suite
struct ImportDirectionTests {
    /// Which of our own targets each target may import. What is not named here may not exist.
    static let allowed: [String: Set<String>] = [
        "Records": [],
        "Instruments": [],
        "DatabaseSchema": [],
        "IngestFormats": ["Records", "CLZ4", "CZlib"],
        "SegmentedLog": ["Records", "CChecksum", "CLZ4", "COpenSSL"],
        "Delivery": ["Records"],
        "Topology": ["Records"],
        "PostgresWire": ["COpenSSL"],
        "DurableQueue": ["Records", "Instruments", "SegmentedLog", "CScheduling"],
        "LibPQClient": ["Records", "Delivery", "Topology", "DatabaseSchema", "CLibPQ"],
        "DirectSockets": [],
        "IngestServer": ["Records", "Instruments", "IngestFormats", "DirectSockets", "COpenSSL"],
        "ReadProxy": ["Records", "Instruments", "Topology", "PostgresWire", "DirectSockets"],
        "OpsServer": ["Records", "Instruments"],
        "ForebayRuntime": [
            "Records", "Instruments", "IngestFormats", "SegmentedLog", "Delivery", "Topology", "DurableQueue",
            "LibPQClient", "IngestServer", "PostgresWire", "ReadProxy", "OpsServer", "COpenSSL",
        ],
        "AgentKit": ["DirectSockets", "CLibPQ", "CScheduling"],
        "SimulationKit": ["Records", "SegmentedLog", "Delivery", "Topology", "CChecksum"],
        "simulate": ["SimulationKit"],
        "LocalPostgres": [],
        "forebay": [
            "Records", "Instruments", "IngestFormats", "SegmentedLog", "Delivery", "Topology", "DurableQueue",
            "LibPQClient", "IngestServer", "OpsServer", "ForebayRuntime", "AgentKit",
        ],
        "local-cluster": ["LocalPostgres"],
        "drill-agents": ["AgentKit"],
        "ProvingGround": ["LocalPostgres", "PostgresWire"],
        "drill": ["LocalPostgres", "ProvingGround", "PostgresWire", "Records", "CFaultPage"],
        "bench": ["Records", "SegmentedLog", "DurableQueue", "AgentKit", "LocalPostgres", "ProvingGround"],
        "FuzzTargets": [
            "Records", "Instruments", "CChecksum", "IngestFormats", "SegmentedLog", "IngestServer", "ForebayRuntime",
            "LibPQClient", "PostgresWire", "ReadProxy", "Topology",
        ],
        "fuzz": ["FuzzTargets"],
        "fuzz-json-postgres": ["FuzzTargets", "IngestFormats", "Records", "LibPQClient", "Topology", "LocalPostgres"],
    ]

    /// Targets without files, sockets, clocks or tasks, so that they run under simulated faults.
    static let pure: Set<String> = [
        "Records", "IngestFormats", "SegmentedLog", "Delivery", "Topology", "PostgresWire", "SimulationKit",
    ]

    /// Modules that open files or sockets, read clocks or start tasks. FoundationEssentials may be used for its JSON alone.
    static let impureModules: Set<String> = [
        "Foundation", "Dispatch", "NIOCore", "NIOPosix", "ServiceLifecycle", "Logging",
    ]

    /// What a pure target's code must not hold.
    static let impureWords = [
        "Task {", "Task.detached", "ContinuousClock(", "ContinuousClock.now", "SuspendingClock", "Thread(",
        "FileManager",
        "FileHandle", "Date()", "ProcessInfo",
    ]

    @Test
    func everyTargetHasARowAndEveryRowATarget() throws {
        let folders = try Set(targets().map(\.name))
        #expect(folders == Set(Self.allowed.keys))
    }

    @Test
    func importsPointOneWay() throws {
        for target in try targets() {
            let permitted = try #require(Self.allowed[target.name])
            for file in target.files {
                for module in imports(in: file.text) where ownModules.contains(module) && module != target.name {
                    #expect(permitted.contains(module), "\(file.path) imports \(module)")
                }
            }
        }
    }

    @Test
    func pureTargetsTouchNoWorld() throws {
        for target in try targets() where Self.pure.contains(target.name) {
            for file in target.files {
                let outside = imports(in: file.text).intersection(Self.impureModules)
                #expect(outside.isEmpty, "\(file.path) imports \(outside.sorted())")
                for word in Self.impureWords {
                    #expect(!code(of: file.text).contains(word), "\(file.path) uses \(word)")
                }
            }
        }
    }

    /// A function that is itself the value of a lock is wrapped once more by every `withLock`, and the wrapping is stored back: after some ten thousand times a call
    /// of it overflows the stack. A proxy ended so, without a word, some thousand reads after its start.
    @Test
    func noLockLendsOutAFunction() throws {
        let lent = /(Mutex|Monitor)<[^=\n]*->/
        #expect("let listener = Mutex<(@Sendable (Int) -> Void)?>(nil)".contains(lent))
        for target in try targets() {
            for file in target.files { #expect(!code(of: file.text).contains(lent), "\(file.path)") }
        }
    }

    @Test
    func theReaderOfImportsSeesEveryForm() {
        let text = """
            import A
            package import B
            @testable import C
            internal import struct D.E
            // import F
            """
        #expect(imports(in: text) == ["A", "B", "C", "D"])
    }

    // MARK: Reading the tree

    private struct SourceFile {
        var path: String
        var text: String
    }

    private struct SourceTarget {
        var name: String
        var files: [SourceFile]
    }

    private var root: URL {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    }

    private var ownModules: Set<String> {
        Set(Self.allowed.keys).union(["CChecksum", "CFaultPage", "CLZ4", "CLibPQ", "COpenSSL", "CScheduling", "CZlib"])
    }

    /// Every target that holds Swift.
    private func targets() throws -> [SourceTarget] {
        let sources = root.appending(path: "Sources")
        let folders = try FileManager.default.contentsOfDirectory(at: sources, includingPropertiesForKeys: nil)
            .map { ($0.lastPathComponent, $0) }
        return try folders.compactMap { name, folder in
            let files = try swiftFiles(below: folder)
            return files.isEmpty ? nil : SourceTarget(name: name, files: files)
        }
    }

    private func swiftFiles(below folder: URL) throws -> [SourceFile] {
        let walk = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        return try walk.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }.map {
            SourceFile(path: $0.path(), text: try String(contentsOf: $0, encoding: .utf8))
        }
    }

    private func imports(in text: String) -> Set<String> {
        let kinds: Set<Substring> = ["struct", "class", "enum", "func", "protocol", "typealias", "var", "let"]
        var modules: Set<String> = []
        for line in text.split(separator: "\n") {
            var words = line.split(separator: " ")[...]
            while let first = words.first,
                first.hasPrefix("@") || ["package", "internal", "public", "private"].contains(first)
            {
                words = words.dropFirst()
            }
            guard words.first == "import" else { continue }
            words = words.dropFirst()
            if let kind = words.first, kinds.contains(kind) {
                words = words.dropFirst()
            }
            if let module = words.first?.split(separator: ".").first {
                modules.insert(String(module))
            }
        }
        return modules
    }

    /// The text without its comment lines.
    private func code(of text: String) -> String {
        text.split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("//") }.joined(separator: "\n")
    }
}
