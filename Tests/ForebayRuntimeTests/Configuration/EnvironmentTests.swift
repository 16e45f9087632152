import Records
import Testing

@testable import ForebayRuntime

// A variable goes before the file, the file before the default; every key has a variable.

@Suite struct EnvironmentTests {
    @Test func theEnvironmentGoesBeforeTheFileAndTheFileBeforeTheDefault() throws {
        let yaml = "queue: { lanes: 3, path: /file }"
        let queue = try load(yaml, ["FOREBAY_QUEUE_LANES": "4"]).configuration.queue
        #expect(queue.lanes == 4)
        #expect(queue.path == "/file")
        #expect(queue.sync == .always)
    }

    @Test func listsAreSeparatedByCommas() throws {
        let one = NetworkAddress(host: "127.0.0.1", port: 1)
        let two = NetworkAddress(host: "::1", port: 2)
        #expect(try load("", ["FOREBAY_INGEST_HTTP": "127.0.0.1:1, [::1]:2"]).configuration.ingest.http == [one, two])
        #expect(try load("", ["FOREBAY_INGEST_HTTP": ""]).configuration.ingest.http == [])
        #expect(
            faults("", ["FOREBAY_INGEST_HTTP": "127.0.0.1:1,"]) == [
                """
                environment FOREBAY_INGEST_HTTP: ingest.http[1]: found "", expected a host and a port, as in \
                127.0.0.1:4318 or [::1]:4318. Add the port.
                """
            ]
        )
    }

    @Test func mappingsArePairs() throws {
        let environment = [
            "FOREBAY_STREAMS_APIREQUESTS_RENAME": "status=status_code,ms=latency_ms",
            "FOREBAY_STREAMS_APIREQUESTS_CONSTANTS": "service=a=b",
            "FOREBAY_STREAMS_APIREQUESTS_EXTRA": "tags",
        ]
        let stream = try #require(try load("", environment).configuration.stream("apirequests"))
        #expect(stream.table == TableName(schema: "public", name: "apirequests"))
        #expect(stream.rename.map(\.field) == ["status", "ms"])
        #expect(stream.constants == [.init(column: "service", value: "a=b")])
        #expect(stream.extra == "tags")
        #expect(
            faults("", ["FOREBAY_STREAMS_APIREQUESTS_RENAME": "status"]) == [
                """
                environment FOREBAY_STREAMS_APIREQUESTS_RENAME: streams.apirequests.rename: found "status", expected \
                name=value, separated by commas.
                """
            ]
        )
    }

    @Test func variablesAddStreamsAndChangeThoseOfTheFile() throws {
        let environment = ["FOREBAY_STREAMS_AUDIT_LOG_TABLE": "audit.log", "FOREBAY_STREAMS_WEB_REQUESTS_TABLE": "w.r"]
        let added = try load("", environment).configuration.streams
        #expect(added.map(\.name) == ["apirequests", "audit_log", "web_requests"])
        let changed = try load("streams: { web-requests: { table: a.b } }", environment).configuration
        #expect(changed.streams.map(\.name) == ["web-requests", "audit_log"])
        #expect(changed.stream("web-requests")?.table == TableName(schema: "w", name: "r"))
    }

    @Test func encryptionKeysCanBeNamedByVariablesAlone() throws {
        let environment = [
            "FOREBAY_QUEUE_ENCRYPTION_KEYS_K1_FILE": "/k1", "FOREBAY_QUEUE_ENCRYPTION_KEYS_K2_ENV": "SECRET",
            "FOREBAY_QUEUE_ENCRYPTION_ACTIVE": "k2",
        ]
        let encryption = try #require(try load("", environment).configuration.queue.encryption)
        #expect(encryption.keys == ["k1": .file("/k1"), "k2": .environment("SECRET")])
        #expect(encryption.active == "k2")
    }

    @Test func theRolesOfOtherProductsVariables() throws {
        let environment = ["POSTGRES_APP_USER": "app", "POSTGRES_READONLY_USER": "ro"]
        let postgres = try load("postgres: { writer: { user: w } }", environment).configuration.postgres
        #expect(postgres.writer.user == "app")
        #expect(postgres.reader.user == "ro")
        let both = environment.merging(["FOREBAY_POSTGRES_WRITER_USER": "own"]) { $1 }
        #expect(try load("", both).configuration.postgres.writer.user == "own")
        #expect(try load("", ["READ_AFTER_WRITE_TTL": "5s"]).configuration.read.readAfterWriteTTL == .seconds(5))
    }

    @Test func passwordsComeFromTheEnvironment() throws {
        let environment = ["FOREBAY_POSTGRES_WRITER_PASSWORD": "hunter2"]
        let loaded = try load("", environment)
        #expect(try loaded.configuration.postgres.writer.resolvePassword()?.reveal() == "hunter2")
        var shown = ""
        dump(loaded, to: &shown)
        #expect(!"\(loaded) \(String(reflecting: loaded)) \(shown)".contains("hunter2"))
    }

    @Test func aVariableThatStandsForNoKeyIsAFault() {
        #expect(
            faults("", ["FOREBAY_QUEUE_MAXBYTES": "1GiB"]) == [
                """
                environment FOREBAY_QUEUE_MAXBYTES: found a variable that stands for no key, expected FOREBAY_ and the \
                path of a key. Did you mean FOREBAY_QUEUE_MAX_BYTES?
                """
            ]
        )
    }

    @Test func otherVariablesAreAWarningOrNothing() throws {
        #expect(
            try load("", ["FOREBAY_COLOUR": "red"]).warnings.map(\.description) == [
                "environment FOREBAY_COLOUR: This variable stands for no key and has no effect."
            ]
        )
        let ofKubernetes = [
            "FOREBAY_SERVICE_HOST": "10.0.0.1", "FOREBAY_SERVICE_PORT": "80", "FOREBAY_INGEST_SERVICE_PORT_HTTP": "80",
            "FOREBAY_INGEST_PORT": "tcp://10.0.0.1:80", "FOREBAY_INGEST_PORT_80_TCP": "x",
            "FOREBAY_INGEST_PORT_80_TCP_ADDR": "10.0.0.1", "FOREBAY_TOKEN": "x", "HOME": "/root",
        ]
        #expect(try load("", ofKubernetes).warnings == [])
    }

    @Test(arguments: [
        ("QUEUE_SYNC", "never"), ("POSTGRES_STATEMENT_DEADLINE", "9s"), ("RETENTION_REQUIRED_REPLICAS", "1"),
        ("IDEMPOTENCY_WINDOW", "1h"), ("DELIVERY_MAX_ROWS", "7"), ("INGEST_AUTH", "tokens"),
        ("INGEST_TLS_KEY", "/k"), ("READ_POOL", "session"), ("OPS_LISTEN", "127.0.0.1:1"), ("LOG_FORMAT", "json"),
    ])
    func everySectionListensToItsVariables(name: String, value: String) throws {
        let environment = ["FOREBAY_\(name)": value, "FOREBAY_INGEST_TLS_CERTIFICATE": "/c"]
        let without = ["FOREBAY_INGEST_TLS_CERTIFICATE": "/c", "FOREBAY_INGEST_TLS_KEY": "/other"]
        #expect(
            try load("", environment.merging(["FOREBAY_INGEST_TLS_KEY": "/other"]) { left, _ in left }).configuration
                != load("", without).configuration
        )
    }
}
