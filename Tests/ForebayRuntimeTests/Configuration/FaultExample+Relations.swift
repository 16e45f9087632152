extension FaultExample {
    static let relations = [
        FaultExample(
            "reserve above the budget",
            "queue: { max_bytes: 1GiB, reserve: 2GiB }",
            [:],
            "forebay.yaml:1:36: queue.reserve: found 2GiB, expected less than queue.max_bytes (1GiB)."
        ),
        FaultExample(
            "budget below the segments",
            "queue: { max_bytes: 100MiB }",
            [:],
            """
            forebay.yaml:1:21: queue.max_bytes: found 100MiB, expected room for a segment of each lane and the reserve (2 \
            times 64MiB, and 6400KiB). Raise queue.max_bytes, or lower queue.segment_bytes or queue.lanes.
            """
        ),
        FaultExample(
            "no key is active",
            "queue:\n  encryption: { keys: { a: { file: /k } } }",
            [:],
            "forebay.yaml:2:15: queue.encryption.active: found nothing, expected the id of the key for new segments."
        ),
        FaultExample(
            "an unknown key is active",
            "queue:\n  encryption: { keys: { a: { file: /k } }, active: b }",
            [:],
            #"forebay.yaml:2:52: queue.encryption.active: found "b", expected one of a."#
        ),
        FaultExample(
            "a key of two places",
            "queue: { encryption: { keys: { a: { file: /k, env: K } }, active: a } }",
            [:],
            """
            forebay.yaml:1:35: queue.encryption.keys.a: found both file and env, expected either the path of a file or the \
            name of a variable that holds the key.
            """
        ),
        FaultExample(
            "a node twice",
            "postgres: { nodes: ['a:1', 'b:1', 'a:1'] }",
            [:],
            "forebay.yaml:1:35: postgres.nodes[2]: found a:1 again, expected each node once."
        ),
        FaultExample(
            "no node",
            "postgres: { nodes: [] }",
            [:],
            "forebay.yaml:1:20: postgres.nodes: found no node, expected one at least."
        ),
        FaultExample(
            "verification without authorities",
            "postgres: { sslmode: verify-full }",
            [:],
            """
            forebay.yaml:1:22: postgres.sslmode: found verify-full, expected postgres.sslrootcert with it. Name the file of \
            the authorities' certificates, or write sslrootcert: system.
            """
        ),
        FaultExample(
            "one role for all",
            "postgres: { reader: { user: apm_writer } }",
            [:],
            """
            forebay.yaml:1:29: postgres.reader.user: found "apm_writer", expected a role other than the writer's. Reads run \
            as a role that may only select.
            """
        ),
        FaultExample(
            "more replicas than nodes",
            "retention: { required_replicas: 3 }",
            [:],
            """
            forebay.yaml:1:33: retention.required_replicas: found 3, expected fewer than the 3 nodes of postgres.nodes, one \
            of which is the primary.
            """
        ),
        FaultExample(
            "pauses the wrong way round",
            "delivery: { retry_min: 10s, retry_max: 1s }",
            [:],
            "forebay.yaml:1:40: delivery.retry_max: found 1s, expected delivery.retry_min (10s) to 1h."
        ),
        FaultExample(
            "inflated below the body",
            "ingest: { max_inflated: 1MiB }",
            [:],
            "forebay.yaml:1:25: ingest.max_inflated: found 1MiB, expected ingest.max_body (16MiB) to 1GiB."
        ),
        FaultExample(
            "in flight below the body",
            "ingest: { max_in_flight: 1MiB }",
            [:],
            "forebay.yaml:1:26: ingest.max_in_flight: found 1MiB, expected ingest.max_body (16MiB) at least."
        ),
        FaultExample(
            "one port for two",
            "ops: { listen: '127.0.0.1:4318' }",
            [:],
            """
            forebay.yaml:1:16: ops.listen: found 127.0.0.1:4318, expected an address that is not taken. ingest.http[0] has \
            it.
            """
        ),
        FaultExample(
            "nowhere to listen",
            "ingest: { http: [], tcp: [] }",
            [:],
            "forebay.yaml:1:17: ingest.http: found no address, and none in ingest.tcp either, expected one at least."
        ),
        FaultExample(
            "unknown stream for TCP",
            "ingest: { tcp_stream: apirequest }",
            [:],
            """
            forebay.yaml:1:23: ingest.tcp_stream: found "apirequest", expected one of the streams apirequests. Did you mean \
            apirequests?
            """
        ),
        FaultExample(
            "stream's name",
            "streams: { 'a b': {} }",
            [:],
            #"forebay.yaml:1:19: streams.a b: found "a b", expected a name of 1 to 64 letters, digits, '_', '-' or '.'."#
        ),
        FaultExample(
            "two fields for a column",
            "streams: { a: { rename: { x: c, y: c } } }",
            [:],
            """
            forebay.yaml:1:25: streams.a.rename: found "y" to "c", expected each field and each column once, and none \
            without a name.
            """
        ),
        FaultExample(
            "a constant for a renamed column",
            "streams: { a: { rename: { x: c }, constants: { c: 1 } } }",
            [:],
            """
            forebay.yaml:1:46: streams.a.constants: found "c", expected a column that has one constant and that no field is \
            renamed to.
            """
        ),
        FaultExample(
            "half of TLS",
            "ingest: { tls: { certificate: /c } }",
            [:],
            "forebay.yaml:1:16: ingest.tls.key: found nothing, expected the path of a PEM file."
        ),
    ]

    static let trust = [
        FaultExample(
            "everybody, on every address",
            "ingest: { http: ['0.0.0.0:4318'] }",
            [:],
            """
            forebay.yaml:1:9: ingest.auth: found none, with an address that others can reach (0.0.0.0:4318), expected tokens. Use \
            tokens (forebay token create), or write auth: none-on-any-address to let everybody write.
            """
        ),
        FaultExample(
            "a name that looks like loopback",
            "ingest: { tcp: ['127.0.0.1.example.net:1'], auth: none }",
            [:],
            """
            forebay.yaml:1:51: ingest.auth: found none, with an address that others can reach (127.0.0.1.example.net:1), \
            expected tokens. Use tokens (forebay token create), or write auth: none-on-any-address to let everybody write.
            """
        ),
        FaultExample(
            "password in the file",
            "postgres: { writer: { password: hunter2 } }",
            [:],
            """
            forebay.yaml:1:33: postgres.writer.password: found a secret in the file, expected none here. Put it into a file \
            and name that as password_file, or set FOREBAY_POSTGRES_WRITER_PASSWORD.
            """
        ),
        FaultExample(
            "role that is a password",
            "postgres: { writer: hunter2 }",
            [:],
            "forebay.yaml:1:21: postgres.writer: found a text, expected a mapping of keys to values."
        ),
        FaultExample(
            "empty password",
            "",
            ["FOREBAY_POSTGRES_WRITER_PASSWORD": ""],
            "environment FOREBAY_POSTGRES_WRITER_PASSWORD: postgres.writer.password: found a text, expected a password."
        ),
    ]
}
