import Foundation
import Testing

@testable import ForebayRuntime

// The defaults stand in three places: the type, the design (section 8) and the sample in deploy/. They are held against each
// other, so that none can move alone.

@Suite struct DefaultsTests {
    /// Design, section 8, as it stands there.
    static let design = """
        queue:     { path: /var/lib/forebay/queue, max_bytes: 64GiB, lanes: 2, sync: always }   # sync: always | interval | never
        postgres:
          nodes: [127.0.0.1:5432, 127.0.0.1:5433, 127.0.0.1:5434]
          database: apm
          sslmode: prefer
          writer: { user: apm_writer, password_file: /etc/forebay/writer }
          reader: { user: apm_reader, password_file: /etc/forebay/reader }
        streams:   { apirequests: { table: public.apirequests } }
        retention: { required_replicas: all, min_age: 60s, min_bytes: 0B, on_restore: hold }
        ingest:    { http: ["127.0.0.1:4318"], tcp: ["127.0.0.1:5170"], max_body: 16MiB, auth: none }
        read:      { listen: ["127.0.0.1:6432"], pool: transaction, max_lag: 10s, wait: 2s, read_after_write_ttl: 0s }
        ops:       { listen: "127.0.0.1:8480" }
        """

    @Test func anEmptyFileIsTheDefaults() throws {
        #expect(try load("").configuration == ForebayConfiguration())
        #expect(try load("queue:\ningest: {}\n# nothing\n").configuration == ForebayConfiguration())
    }

    @Test func theDefaultsAreTheDesigns() throws {
        #expect(try load(Self.design).configuration.comparable == ForebayConfiguration())
    }

    @Test func theDefaultsHaveNoFault() {
        #expect(ForebayConfiguration().validate() == [])
    }

    @Test func theSampleIsTheDefaultsAndWarnsOfNothing() throws {
        let loaded = try load(try sample())
        #expect(loaded.configuration.comparable == ForebayConfiguration())
        #expect(loaded.warnings == [])
    }

    /// Every key of the sample, optional ones included, parses when its comment sign is taken away.
    @Test func theSamplesOptionalKeysParse() throws {
        let optional = try Regex(#"^( *)# (encryption:|  keys:|    k[12]: .*|  active: .*|[a-z_]+: [{/].*|extra: .*)$"#)
        let lines = try sample().split(separator: "\n", omittingEmptySubsequences: false)
        var uncovered = 0
        let text = lines.map { line in
            guard let match = line.wholeMatch(of: optional) else { return String(line) }
            uncovered += 1
            return "\(match.output[1].substring ?? "")\(match.output[2].substring ?? "")"
        }
        let configuration = try load(text.joined(separator: "\n")).configuration
        #expect(uncovered == 13)
        #expect(configuration.queue.encryption?.keys.count == 2)
        #expect(configuration.postgres.sslrootcert == "/etc/forebay/postgres-ca.pem")
        #expect(configuration.streams[0].rename == [.init(field: "status", column: "status_code")])
        #expect(configuration.streams[0].constants == [.init(column: "service", value: "web")])
        #expect(configuration.streams[0].extra == "tags")
        #expect(configuration.ingest.tls != nil)
        #expect(configuration.read.tls != nil)
        #expect(configuration.read.usersFile == "/etc/forebay/readers")
        #expect(configuration.read.tokensFile == "/etc/forebay/read-tokens")
    }

    private func sample() throws -> String {
        let root = URL(filePath: #filePath).appending(path: "../../../../").standardized
        return try String(contentsOf: root.appending(path: "deploy/forebay.yaml"), encoding: .utf8)
    }
}
