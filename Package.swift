// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// A Swift target of this package, with the settings that all of them share.
func part(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioFoundation = Target.Dependency.product(name: "NIOFoundationCompat", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let hdrHistogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")

let package = Package(
    name: "forebay",
    products: [
        .executable(name: "forebay", targets: ["forebay"]),
        // Preloaded by drills and tests, linked by nobody.
        .library(name: "SyscallFaults", type: .dynamic, targets: ["CSyscallFaults"]),
        .library(name: "ClockSteps", type: .dynamic, targets: ["CClockSteps"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift.git", from: "0.2.0"),
    ],
    targets: [
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CChecksum"),
        .target(name: "CScheduling"),

        part("Records"),
        part("Instruments"),
        part("IngestFormats", ["Records", "CLZ4", "CZlib"]),
        part("SegmentedLog", ["Records", "CChecksum", "CLZ4", "COpenSSL"]),
        part("Delivery", ["Records"]),
        part("Topology", ["Records"]),
        part("PostgresWire", ["COpenSSL"]),
        part("DurableQueue", ["Records", "Instruments", "SegmentedLog", "CScheduling", log]),
        .target(name: "DatabaseSchema", resources: [.embedInCode("sql")], swiftSettings: strict),
        part("LibPQClient", ["Records", "Delivery", "Topology", "DatabaseSchema", "CLibPQ"]),
        part("DirectSockets", [nioCore]),
        part(
            "IngestServer",
            [
                "Records", "Instruments", "IngestFormats", "DirectSockets", "COpenSSL", nioCore, nioPosix, nioSSL, log,
            ]
        ),
        part(
            "ReadProxy",
            ["Records", "Instruments", "Topology", "PostgresWire", "DirectSockets", nioCore, nioPosix, nioSSL, log]
        ),
        part("OpsServer", ["Records", "Instruments", hummingbird, nioCore, lifecycle, log]),
        part(
            "ForebayRuntime",
            [
                "Records", "Instruments", "IngestFormats", "SegmentedLog", "Delivery", "Topology", "DurableQueue",
                "LibPQClient", "IngestServer", "PostgresWire", "ReadProxy", "OpsServer", "COpenSSL", lifecycle, signals,
                log,
                yams, nioCore, nioPosix,
            ]
        ),
        part(
            "AgentKit",
            [
                "DirectSockets", "CLibPQ", "CScheduling", asyncHTTPClient, hdrHistogram, nioCore, nioHTTP1, nioPosix,
                nioSSL,
            ]
        ),
        .executableTarget(
            name: "forebay",
            dependencies: [
                "Records", "IngestFormats", "SegmentedLog", "DurableQueue", "Delivery", "Topology", "LibPQClient",
                "ForebayRuntime", "OpsServer", "AgentKit", argumentParser, asyncHTTPClient, log, nioCore, nioFoundation,
                nioHTTP1,
            ],
            swiftSettings: strict
        ),

        // The write path in seeded worlds: a simulated disk, PostgreSQL and time.
        part("SimulationKit", ["Records", "SegmentedLog", "Delivery", "Topology", "CChecksum"]),
        .executableTarget(
            name: "simulate",
            dependencies: ["SimulationKit", argumentParser],
            swiftSettings: strict
        ),

        // Support: disposable clusters, agents that keep a journal, and the drills that use both.
        part("LocalPostgres"),
        .executableTarget(
            name: "local-cluster",
            dependencies: ["LocalPostgres", argumentParser],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "drill-agents",
            dependencies: ["AgentKit", argumentParser],
            swiftSettings: strict
        ),
        part("ProvingGround", ["LocalPostgres", "PostgresWire"]),
        .target(name: "CFaultPage"),
        .target(name: "CSyscallFaults", dependencies: ["CFaultPage"]),
        .target(name: "CClockSteps"),
        .target(name: "CSanitizerHints"),
        .executableTarget(
            name: "drill",
            dependencies: ["LocalPostgres", "ProvingGround", "PostgresWire", "Records", "CFaultPage", argumentParser],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "bench",
            dependencies: [
                "Records", "SegmentedLog", "DurableQueue", "AgentKit", "LocalPostgres", "ProvingGround", argumentParser,
            ],
            swiftSettings: strict
        ),

        // Support: what the decoders promise for every input. The fuzzers are built by `make fuzz` alone.
        part(
            "FuzzTargets",
            [
                "Records", "Instruments", "CChecksum", "IngestFormats", "SegmentedLog", "IngestServer",
                "ForebayRuntime", "LibPQClient", "PostgresWire", "ReadProxy", "Topology", nioCore, nioEmbedded,
                nioHTTP1, log,
            ]
        ),

        tests("ArchitectureTests", []),
        tests("RecordsTests", ["Records"]),
        // One of them brings the hints for the thread sanitizer into the bundle that all tests are linked into.
        tests("InstrumentsTests", ["Instruments", "CSanitizerHints"]),
        tests("IngestFormatsTests", ["IngestFormats", "Records", "CLZ4", "CZlib"]),
        tests("SegmentedLogTests", ["SegmentedLog", "SimulationKit", "Records", "CChecksum"]),
        tests("DeliveryTests", ["Delivery", "SimulationKit", "Records"]),
        tests("TopologyTests", ["Topology", "Records"]),
        tests("PostgresWireTests", ["PostgresWire"]),
        tests("SimulationTests", ["SimulationKit", "Delivery", "SegmentedLog", "Records"]),
        tests("DurableQueueTests", ["DurableQueue", "SegmentedLog", "Records", "Instruments", "CScheduling", log]),
        tests(
            "LibPQClientTests",
            ["LibPQClient", "DatabaseSchema", "Delivery", "Topology", "Records", "LocalPostgres", "ProvingGround"]
        ),
        tests("LocalPostgresTests", ["LocalPostgres"]),
        tests(
            "IngestServerTests",
            ["IngestServer", "IngestFormats", "Records", log, nioCore, nioEmbedded, nioPosix, nioHTTP1]
        ),
        tests("DirectSocketsTests", ["DirectSockets", nioCore, nioPosix, nioEmbedded]),
        tests("ReadProxyTests", ["ReadProxy", "PostgresWire", "Records"]),
        tests("OpsServerTests", ["OpsServer", "Instruments", asyncHTTPClient, lifecycle, log, nioCore, nioHTTP1]),
        tests(
            "ForebayRuntimeTests",
            [
                "ForebayRuntime", "DurableQueue", "SegmentedLog", "LibPQClient", "Delivery", "Topology",
                "IngestFormats", "IngestServer", "PostgresWire", "ReadProxy", "Records", log,
            ]
        ),
        tests("AgentKitTests", ["AgentKit", "Records", nioCore, nioPosix]),
        tests("BenchTests", ["bench"]),
        // What is excluded are files that the tests read or run.
        tests(
            "EndToEndTests",
            ["LocalPostgres", "ProvingGround", "PostgresWire", "Records"],
            exclude: ["Reads/Clients"]
        ),
        tests(
            "FuzzTests",
            ["FuzzTargets", "IngestFormats", "Records", "LibPQClient", "Topology", "LocalPostgres"],
            exclude: ["Dictionaries", "Findings", "Seeds"]
        ),
    ]
)

// The micro-benchmarks see the inside of the package, and so stand in it; but only they need what they are made with.
if Context.environment["FOREBAY_MICRO"] != nil {
    package.dependencies.append(.package(url: "https://github.com/ordo-one/benchmark.git", exact: "1.38.1", traits: []))
    package.targets.append(
        .executableTarget(
            name: "Micro",
            dependencies: [
                "Records", "IngestFormats", "SegmentedLog", "DurableQueue", "CChecksum", "CLZ4",
                .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/Micro",
            exclude: ["events.ndjson"],
            swiftSettings: strict,
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
        )
    )
}

// `make fuzz` names libFuzzer (the archive without a `main`). Our own targets are instrumented then, and the fuzzers are built around
// them.
if let libFuzzer = Context.environment["FOREBAY_LIBFUZZER"] {
    func fuzzer(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
        .executableTarget(
            name: name,
            dependencies: dependencies,
            swiftSettings: strict,
            linkerSettings: [.unsafeFlags(["-sanitize=address", libFuzzer]), .linkedLibrary("stdc++")]
        )
    }
    package.targets += [
        fuzzer("fuzz", ["FuzzTargets"]),
        fuzzer(
            "fuzz-json-postgres",
            ["FuzzTargets", "IngestFormats", "Records", "LibPQClient", "Topology", "LocalPostgres"]
        ),
    ]
    for target in package.targets {
        target.swiftSettings?.append(.unsafeFlags(["-sanitize=fuzzer,address", "-assert-config", "Debug"]))
    }
}
