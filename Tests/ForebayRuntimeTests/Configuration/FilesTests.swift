import Foundation
import Testing

@testable import ForebayRuntime

// What loading does with real files: the search, passwords, keys and tokens. Each test has a directory of its own.

@Suite struct FilesTests {
    @Test func aNamedFileIsReadAndNoOther() throws {
        try withDirectory { directory in
            let path = try directory.put("a.yaml", "queue: { lanes: 5 }")
            let loaded = try ForebayConfiguration.load(path: path, environment: [:])
            #expect(loaded.configuration.queue.lanes == 5)
            #expect(loaded.file == path)
            let missing = "\(directory.path)/none.yaml"
            let error = #expect(throws: ConfigurationFaults.self) {
                try ForebayConfiguration.load(path: missing, environment: [:])
            }
            #expect(
                error?.faults.map(\.description) == [
                    "\(missing): found a file that can't be read (No such file or directory), expected a configuration."
                ]
            )
        }
    }

    @Test func theFirstFileOfTheSearchIsTaken() throws {
        try withDirectory { directory in
            let paths = ["\(directory.path)/1.yaml", try directory.put("2.yaml", "queue: { lanes: 5 }")]
            let loaded = try ForebayConfiguration.load(environment: [:], searchPath: paths)
            #expect(loaded.file == paths[1])
        }
    }

    @Test func withoutAFileTheSearchSaysWhereItLooked() throws {
        let error = #expect(throws: ConfigurationFaults.self) {
            try ForebayConfiguration.load(environment: ["HOME": "/"], searchPath: ["/none/a.yaml", "/none/b.yaml"])
        }
        #expect(
            error?.faults.map(\.description) == [
                """
                /none/a.yaml, /none/b.yaml: found no such file, expected a configuration. Name one with --config FILE, copy \
                deploy/forebay.yaml to one of these places, or set FOREBAY_ variables.
                """
            ]
        )
    }

    @Test func variablesAloneConfigure() throws {
        let loaded = try ForebayConfiguration.load(environment: ["FOREBAY_QUEUE_LANES": "5"], searchPath: ["/none"])
        #expect(loaded.configuration.queue.lanes == 5)
        #expect(loaded.file == nil)
    }

    @Test func aFileThatIsNotUTF8OrTooLargeIsRefused() throws {
        try withDirectory { directory in
            let odd = try directory.put("odd", bytes: [0x71, 0xFF])
            let large = try directory.put("large", bytes: Array(repeating: 0x20, count: SmallFile.most + 1))
            for (path, reason) in [(odd, "it is not UTF-8"), (large, "it is larger than 4MiB")] {
                let error = #expect(throws: ConfigurationFaults.self) {
                    try ForebayConfiguration.load(path: path, environment: [:])
                }
                #expect(error?.faults.first?.found == "a file that can't be read (\(reason))")
            }
        }
    }

    @Test(arguments: [
        ("secret\n", "secret"), ("secret\r\n", "secret"), ("secret", "secret"), (" sp ace \n", " sp ace "),
    ])
    func aPasswordIsTheOnlyLine(text: String, password: String) throws {
        try withDirectory { directory in
            var role = ForebayConfiguration.Role(user: "w", passwordFile: try directory.put("password", text))
            role.passwordFileRequired = true
            #expect(try role.resolvePassword()?.reveal() == password)
        }
    }

    @Test(arguments: ["", "\n", "two\nlines\n", "nul\0\n"])
    func aFileWithoutAPasswordIsAFault(text: String) throws {
        try withDirectory { directory in
            let role = ForebayConfiguration.Role(user: "w", passwordFile: try directory.put("password", text))
            #expect(throws: ConfigurationFault.self) { try role.resolvePassword() }
        }
    }

    @Test func aPasswordFileThatWasNamedMustBeThereAndTheDefaultOneNeedNot() throws {
        #expect(try ForebayConfiguration.Role(user: "w", passwordFile: "/none/writer").resolvePassword() == nil)
        #expect(
            checkedFaults("postgres: { writer: { password_file: /none/writer } }") == [
                """
                forebay.yaml:1:38: postgres.writer.password_file: found /none/writer (No such file or directory), expected \
                a file that can be read.
                """
            ]
        )
    }

    @Test func aPasswordThatOthersMayReadIsAWarning() throws {
        try withDirectory { directory in
            let path = try directory.put("password", "secret")
            let yaml = "postgres: { writer: { password_file: \(path) } }"
            for (mode, warnings) in [(0o644, 1), (0o640, 0), (0o600, 0)] {
                chmod(path, mode_t(mode))
                let loaded = try ForebayConfiguration.parse(yaml, named: "f", environment: [:], checkingFiles: true)
                #expect(loaded.warnings.count == warnings)
                #expect(!"\(loaded.warnings)".contains("secret"))
            }
        }
    }

    @Test func anEncryptionKeyIs256Bits() throws {
        let digits = String(repeating: "0f", count: 32)
        try withDirectory { directory in
            let key = Array(repeating: UInt8(15), count: 32)
            let text = try directory.put("text", digits + "\n")
            let bytes = try directory.put("bytes", bytes: key)
            let short = try directory.put("short", "0f0f\n")
            typealias Source = ForebayConfiguration.Encryption.KeySource
            #expect(try Source.file(text).resolve(environment: [:]) == key)
            #expect(try Source.file(bytes).resolve(environment: [:]) == key)
            #expect(try Source.environment("K").resolve(environment: ["K": digits]) == key)
            #expect(throws: ConfigurationFault.self) { try Source.file(short).resolve(environment: [:]) }
            #expect(throws: ConfigurationFault.self) { try Source.environment("K").resolve(environment: [:]) }
            #expect(throws: ConfigurationFault.self) {
                try Source.environment("K").resolve(environment: [
                    "K": digits.replacingOccurrences(of: "0f", with: "+f")
                ])
            }
        }
    }

    @Test func tokensTLSAndKeysAreLookedAt() {
        #expect(
            checkedFaults(
                """
                queue: { encryption: { keys: { a: { env: NO_SUCH } }, active: a } }
                ingest:
                  auth: tokens
                  tokens_file: /none/tokens
                  tls: { certificate: /none/c, key: /none/k }
                """
            ) == [
                """
                forebay.yaml:1:35: queue.encryption.keys.a: found no variable NO_SUCH, expected 256 bits, as 64 hexadecimal \
                digits.
                """,
                """
                forebay.yaml:4:16: ingest.tokens_file: found /none/tokens (No such file or directory), expected a file of \
                tokens. Make one with: forebay token create NAME
                """,
                """
                forebay.yaml:5:23: ingest.tls.certificate: found /none/c (No such file or directory), expected a file that \
                can be read.
                """,
                """
                forebay.yaml:5:37: ingest.tls.key: found /none/k (No such file or directory), expected a file that can be \
                read.
                """,
            ]
        )
    }

    @Test func settingsThatMayHurtAreWarnings() throws {
        let yaml = """
            queue: { sync: interval }
            ingest: { http: ["0.0.0.0:4318"], auth: none-on-any-address }
            """
        #expect(
            try load(yaml).warnings.map(\.description) == [
                "forebay.yaml:1:16: queue.sync: A crash of the machine loses acknowledged events of the last 100ms.",
                "forebay.yaml:2:41: ingest.auth: Everybody who can reach 0.0.0.0:4318 may write.",
            ]
        )
        #expect(
            try load("ingest: { http: ['0.0.0.0:1'], auth: tokens }").warnings.map(\.description) == [
                """
                forebay.yaml:1:9: ingest.tls: Tokens reach 0.0.0.0:1 in plain text; set ingest.tls unless something in front \
                of it does TLS.
                """
            ]
        )
    }

    private func checkedFaults(_ yaml: String) -> [String] {
        do throws(ConfigurationFaults) {
            _ = try ForebayConfiguration.parse(yaml, named: "forebay.yaml", environment: [:], checkingFiles: true)
            return []
        } catch {
            return error.faults.map(\.description)
        }
    }
}
