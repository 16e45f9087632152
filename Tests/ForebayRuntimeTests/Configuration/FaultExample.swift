import Testing

/// A configuration and the lines that it is answered with.
struct FaultExample: CustomTestStringConvertible, Sendable {
    var name: String
    var yaml: String
    var expected: [String]
    var environment: [String: String] = [:]
    var testDescription: String { name }

    init(_ name: String, _ yaml: String, _ environment: [String: String] = [:], _ expected: String...) {
        self.name = name
        self.yaml = yaml
        self.environment = environment
        self.expected = expected
    }
}

extension FaultExample {
    static let shapes = [
        FaultExample(
            "unknown section",
            "quue: {}",
            [:],
            """
            forebay.yaml:1:1: quue: found an unknown key, expected one of queue, postgres, streams, retention, idempotency, \
            delivery, ingest, read, ops, log. Did you mean queue?
            """
        ),
        FaultExample(
            "unknown key",
            "log:\n  levle: debug",
            [:],
            "forebay.yaml:2:3: log.levle: found an unknown key, expected one of level, format. Did you mean level?"
        ),
        FaultExample(
            "unknown key that is like none",
            "log:\n  colour: red",
            [:],
            "forebay.yaml:2:3: log.colour: found an unknown key, expected one of level, format."
        ),
        FaultExample(
            "unknown key in a section with one",
            "ops: { lisen: 1 }",
            [:],
            "forebay.yaml:1:8: ops.lisen: found an unknown key, expected only listen. Did you mean listen?"
        ),
        FaultExample(
            "key with a hyphen",
            "queue: { max-bytes: 1GiB }",
            [:],
            """
            forebay.yaml:1:10: queue.max-bytes: found an unknown key, expected one of path, max_bytes, reserve, lanes, sync, \
            sync_interval, segment_bytes, max_pending, encryption. Did you mean max_bytes?
            """
        ),
        FaultExample(
            "section that is a text",
            "queue: big",
            [:],
            "forebay.yaml:1:8: queue: found a text, expected a mapping of keys to values."
        ),
        FaultExample(
            "section that is a list",
            "queue: [path]",
            [:],
            "forebay.yaml:1:8: queue: found a list, expected a mapping of keys to values."
        ),
        FaultExample(
            "file that is a list",
            "- queue",
            [:],
            "forebay.yaml:1:1: found a list, expected a mapping of keys to values."
        ),
        FaultExample(
            "value that is a mapping",
            "queue: { lanes: { a: 1 } }",
            [:],
            "forebay.yaml:1:17: queue.lanes: found a mapping, expected a single value."
        ),
        FaultExample(
            "value that is missing",
            "queue:\n  lanes:\n",
            [:],
            "forebay.yaml:2:9: queue.lanes: found nothing, expected a value. Leave the key out for its default."
        ),
        FaultExample(
            "list that is a text",
            "ingest: { http: 127.0.0.1:1 }",
            [:],
            #"forebay.yaml:1:17: ingest.http: found "127.0.0.1:1", expected a list. Write ["127.0.0.1:1"]."#
        ),
        FaultExample(
            "element that is a list",
            "ingest:\n  http: [[x]]",
            [:],
            "forebay.yaml:2:10: ingest.http[0]: found a list, expected a single value."
        ),
        FaultExample(
            "rename that is a list",
            "streams: { a: { rename: [x] } }",
            [:],
            "forebay.yaml:1:25: streams.a.rename: found a list, expected a mapping of keys to values."
        ),
        FaultExample(
            "constant without a value",
            "streams: { a: { constants: { x: } } }",
            [:],
            "forebay.yaml:1:33: streams.a.constants.x: found nothing, expected a single value."
        ),
        FaultExample(
            "key twice",
            "log: { level: info }\nlog: { level: debug }",
            [:],
            "forebay.yaml:1:1: log: found the key twice, expected it once."
        ),
        FaultExample(
            "two documents",
            "log: {}\n---\nlog: {}",
            [:],
            """
            forebay.yaml:2:1: found what is not YAML: but found another document (expected a single document in the stream), \
            expected YAML.
            """
        ),
        FaultExample(
            "not YAML",
            "queue: { path: [",
            [:],
            """
            forebay.yaml:2:1: found what is not YAML: did not find expected node content (while parsing a flow node), \
            expected YAML.
            """
        ),
        FaultExample(
            "tab",
            "queue:\n\tpath: x",
            [:],
            """
            forebay.yaml:2:1: found what is not YAML: found character that cannot start any token (while scanning for the \
            next token), expected YAML.
            """
        ),
    ]

    static let values = [
        FaultExample(
            "word",
            "queue: { sync: alway }",
            [:],
            #"forebay.yaml:1:16: queue.sync: found "alway", expected one of always, interval, never. Did you mean always?"#
        ),
        FaultExample(
            "number",
            "queue: { lanes: two }",
            [:],
            #"forebay.yaml:1:17: queue.lanes: found "two", expected a whole number."#
        ),
        FaultExample(
            "number with a fraction",
            "queue: { lanes: 2.0 }",
            [:],
            #"forebay.yaml:1:17: queue.lanes: found "2.0", expected a whole number."#
        ),
        FaultExample(
            "number out of range",
            "queue: { lanes: 0 }",
            [:],
            "forebay.yaml:1:17: queue.lanes: found 0, expected 1 to 256."
        ),
        FaultExample(
            "size without a unit",
            "queue: { max_pending: 64 }",
            [:],
            """
            forebay.yaml:1:23: queue.max_pending: found "64", expected a number of bytes with its unit, as in 64MiB, 64MB \
            or 0B. Write 64B.
            """
        ),
        FaultExample(
            "size in other letters",
            "queue: { max_pending: 64mib }",
            [:],
            """
            forebay.yaml:1:23: queue.max_pending: found "64mib", expected a number of bytes with its unit, as in 64MiB, \
            64MB or 0B. Write 64MiB.
            """
        ),
        FaultExample(
            "size that is negative",
            "queue: { max_pending: -1MiB }",
            [:],
            """
            forebay.yaml:1:23: queue.max_pending: found "-1MiB", expected a number of bytes with its unit, as in 64MiB, \
            64MB or 0B.
            """
        ),
        FaultExample(
            "size that overflows",
            "queue: { max_pending: 9223372036854775807KiB }",
            [:],
            """
            forebay.yaml:1:23: queue.max_pending: found "9223372036854775807KiB", expected at most 9223372036854775807B.
            """
        ),
        FaultExample(
            "size out of range",
            "queue: { segment_bytes: 1KiB }",
            [:],
            "forebay.yaml:1:25: queue.segment_bytes: found 1KiB, expected 1MiB to 4GiB."
        ),
        FaultExample(
            "time without a unit",
            "retention: { min_age: 60 }",
            [:],
            """
            forebay.yaml:1:23: retention.min_age: found "60", expected a time with its unit, as in 250ms, 60s, 24h or 7d. \
            Write 60s.
            """
        ),
        FaultExample(
            "time out of range",
            "ingest: { idle_timeout: 0s }",
            [:],
            "forebay.yaml:1:25: ingest.idle_timeout: found 0s, expected 1ms to 1h."
        ),
        FaultExample(
            "address without a port",
            "ops: { listen: localhost }",
            [:],
            """
            forebay.yaml:1:16: ops.listen: found "localhost", expected a host and a port, as in 127.0.0.1:4318 or \
            [::1]:4318. Add the port.
            """
        ),
        FaultExample(
            "port out of range",
            "ops: { listen: 'localhost:65536' }",
            [:],
            #"forebay.yaml:1:16: ops.listen: found "localhost:65536", expected a port from 0 to 65535 after the host."#
        ),
        FaultExample(
            "IPv6 without brackets",
            "ops: { listen: '::1:80' }",
            [:],
            """
            forebay.yaml:1:16: ops.listen: found "::1:80", expected a host and a port, as in 127.0.0.1:4318 or [::1]:4318. \
            Put an IPv6 address into brackets.
            """
        ),
        FaultExample(
            "star",
            "ops: { listen: '*:80' }",
            [:],
            """
            forebay.yaml:1:16: ops.listen: found "*:80", expected a host and a port, as in 127.0.0.1:4318 or [::1]:4318. \
            Write 0.0.0.0:80 for every IPv4 address.
            """
        ),
        FaultExample(
            "table",
            "streams: { a: { table: a.b.c } }",
            [:],
            """
            forebay.yaml:1:24: streams.a.table: found "a.b.c", expected a table as schema.table, without quotes, each name \
            of 63 bytes at most.
            """
        ),
        FaultExample(
            "replicas",
            "retention: { required_replicas: some }",
            [:],
            """
            forebay.yaml:1:33: retention.required_replicas: found "some", expected all, none, or a number of replicas from \
            1 on.
            """
        ),
        FaultExample(
            "empty text",
            "queue: { path: '' }",
            [:],
            #"forebay.yaml:1:16: queue.path: found "", expected a text that is not empty."#
        ),
        FaultExample(
            "control characters are shown",
            "log: { level: \"a\\u0007\" }",
            [:],
            """
            forebay.yaml:1:15: log.level: found "a\\u{7}", expected one of trace, debug, info, notice, warning, error, \
            critical.
            """
        ),
    ]
}
