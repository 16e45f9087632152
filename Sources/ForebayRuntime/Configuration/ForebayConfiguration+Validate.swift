extension ForebayConfiguration {
    /// Every fault of the values, in the order of the sections; empty if there is none.
    ///
    /// Looks at no file and no clock. The places are left at ``ConfigurationPlace/byDefault``; loading fills them in.
    package func validate() -> [ConfigurationFault] {
        checks(skipping: []).faults
    }

    func checks(skipping skipped: Set<String>) -> ConfigurationChecks {
        var checks = ConfigurationChecks(skipping: skipped)
        queue.check(&checks)
        postgres.check(&checks)
        checkStreams(&checks)
        retention.check(&checks, nodes: postgres.nodes.count)
        idempotency.check(&checks)
        delivery.check(&checks)
        checkIngest(&checks)
        checkAddresses(&checks)
        read.check(&checks)
        checks.warn(
            if: read.readAfterWriteTTL != .zero && ingest.auth != .tokens && !read.listen.isEmpty,
            "read.read_after_write_ttl",
            "Without ingest.auth: tokens nobody is told from anybody: every write counts for every reader."
        )
        return checks
    }

    private func checkStreams(_ checks: inout ConfigurationChecks) {
        checks.expect(!streams.isEmpty, "streams", found: "no stream", expected: "one at least")
        var seen: Set<String> = []
        for stream in streams {
            let key = "streams.\(stream.name)"
            checks.expect(seen.insert(stream.name).inserted, key, found: "the stream twice", expected: "it once")
            checks.expect(
                (1...64).contains(stream.name.utf8.count) && stream.name.utf8.allSatisfy(isNameByte),
                key,
                found: quoted(stream.name),
                expected: "a name of 1 to 64 letters, digits, '_', '-' or '.'"
            )
            var fields: Set<String> = []
            var columns: Set<String> = []
            for rename in stream.rename {
                checks.expect(
                    !rename.column.isEmpty && fields.insert(rename.field).inserted
                        && columns.insert(rename.column).inserted,
                    "\(key).rename",
                    found: "\(quoted(rename.field)) to \(quoted(rename.column))",
                    expected: "each field and each column once, and none without a name"
                )
            }
            var constants: Set<String> = []
            for constant in stream.constants {
                checks.expect(
                    !columns.contains(constant.column) && constants.insert(constant.column).inserted,
                    "\(key).constants",
                    found: quoted(constant.column),
                    expected: "a column that has one constant and that no field is renamed to"
                )
                checks.expect(
                    constant.column != stream.extra,
                    "\(key).constants",
                    found: quoted(constant.column),
                    expected: "a column other than extra"
                )
            }
        }
    }

    private func checkIngest(_ checks: inout ConfigurationChecks) {
        ingest.check(&checks)
        checks.expect(
            !ingest.http.isEmpty || !ingest.tcp.isEmpty,
            "ingest.http",
            with: ["ingest.tcp"],
            found: "no address, and none in ingest.tcp either",
            expected: "one at least"
        )
        if let name = ingest.tcpStream {
            checks.expect(
                stream(name) != nil,
                "ingest.tcp_stream",
                with: ["streams"],
                found: quoted(name),
                expected: "one of the streams \(streams.map(\.name).joined(separator: ", "))",
                remedy: nearestMatch(to: name, among: streams.map(\.name)).map { "Did you mean \($0)?" }
            )
        }
        let open = (ingest.http + ingest.tcp).filter { !$0.isLoopback }
        if let address = open.first {
            checks.expect(
                ingest.auth != .noneOnLoopback,
                "ingest.auth",
                with: ["ingest.http", "ingest.tcp"],
                found: "none, with an address that others can reach (\(address))",
                expected: "tokens",
                remedy: "Use tokens (forebay token create), or write auth: none-on-any-address to let everybody write."
            )
            checks.warn(
                if: ingest.auth == .noneOnAnyAddress,
                "ingest.auth",
                "Everybody who can reach \(address) may write."
            )
            checks.warn(
                if: ingest.auth == .tokens && ingest.tls == nil,
                "ingest.tls",
                "Tokens reach \(address) in plain text; set ingest.tls unless something in front of it does TLS."
            )
        }
    }

    /// No two ports may be the same one. Port 0 is a different one each time.
    private func checkAddresses(_ checks: inout ConfigurationChecks) {
        var taken: [NetworkAddress: String] = [:]
        let all =
            ingest.http.enumerated().map { ("ingest.http[\($0)]", $1) }
            + ingest.tcp.enumerated().map { ("ingest.tcp[\($0)]", $1) }
            + read.listen.enumerated().map { ("read.listen[\($0)]", $1) } + [("ops.listen", ops.listen)]
        for (key, address) in all where address.port != 0 {
            if let other = taken[address] {
                checks.expect(
                    false,
                    key,
                    with: [other],
                    found: address.description,
                    expected: "an address that is not taken",
                    remedy: "\(other) has it."
                )
            } else {
                taken[address] = key
            }
        }
    }

    private func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

extension ForebayConfiguration.Queue {
    fileprivate func check(_ checks: inout ConfigurationChecks) {
        checks.range("queue.lanes", lanes, 1...256)
        checks.range("queue.segment_bytes", segmentBytes, ByteCount(mebibytes: 1)...ByteCount(gibibytes: 4))
        checks.range("queue.max_pending", maxPending, ByteCount(mebibytes: 1)...ByteCount(gibibytes: 16))
        checks.range("queue.sync_interval", syncInterval, .milliseconds(1)...(.seconds(60)))
        checks.expect(
            reserve < maxBytes,
            "queue.reserve",
            with: ["queue.max_bytes"],
            found: reserve.description,
            expected: "less than queue.max_bytes (\(maxBytes))"
        )
        let segments = segmentBytes.bytes.multipliedReportingOverflow(by: lanes)
        let (least, overflow) = segments.partialValue.addingReportingOverflow(reserve.bytes)
        let enough = !segments.overflow && !overflow && maxBytes.bytes >= least
        checks.expect(
            enough || reserve >= maxBytes,
            "queue.max_bytes",
            with: ["queue.reserve", "queue.lanes", "queue.segment_bytes"],
            found: maxBytes.description,
            expected:
                "room for a segment of each lane and the reserve (\(lanes) times \(segmentBytes), and \(reserve))",
            remedy: "Raise queue.max_bytes, or lower queue.segment_bytes or queue.lanes."
        )
        checks.warn(
            if: sync == .interval,
            "queue.sync",
            "A crash of the machine loses acknowledged events of the last \(syncInterval.configured)."
        )
        checks.warn(if: sync == .never, "queue.sync", "A crash of the machine loses acknowledged events.")
        encryption?.check(&checks)
    }
}

extension ForebayConfiguration.Encryption {
    fileprivate func check(_ checks: inout ConfigurationChecks) {
        let ids = keys.keys.sorted()
        checks.expect(
            keys[active] != nil,
            "queue.encryption.active",
            with: ["queue.encryption.keys"],
            found: quoted(active),
            expected: ids.isEmpty
                ? "a key of that id in queue.encryption.keys" : "one of \(ids.joined(separator: ", "))"
        )
        for id in ids {
            checks.expect(
                (1...32).contains(id.utf8.count),
                "queue.encryption.keys.\(id)",
                found: quoted(id),
                expected: "an id of 1 to 32 bytes"
            )
        }
    }
}

extension ForebayConfiguration.Postgres {
    fileprivate func check(_ checks: inout ConfigurationChecks) {
        checks.expect(!nodes.isEmpty, "postgres.nodes", found: "no node", expected: "one at least")
        for (index, node) in nodes.enumerated() {
            checks.expect(
                node.port != 0,
                "postgres.nodes[\(index)]",
                found: node.description,
                expected: "a port from 1 to 65535 after the host"
            )
            checks.expect(
                nodes.firstIndex(of: node) == index,
                "postgres.nodes[\(index)]",
                found: "\(node) again",
                expected: "each node once"
            )
        }
        checks.range("postgres.connect_timeout", connectTimeout, .milliseconds(100)...(.seconds(300)))
        checks.range("postgres.statement_deadline", statementDeadline, .seconds(1)...(.seconds(3600)))
        checks.expect(
            (sslmode != .verifyCA && sslmode != .verifyFull) || sslrootcert != nil,
            "postgres.sslmode",
            with: ["postgres.sslrootcert"],
            found: sslmode.rawValue,
            expected: "postgres.sslrootcert with it",
            remedy: "Name the file of the authorities' certificates, or write sslrootcert: system."
        )
        checks.expect(
            writer.user != reader.user,
            "postgres.reader.user",
            with: ["postgres.writer.user"],
            found: quoted(reader.user),
            expected: "a role other than the writer's",
            remedy: "Reads run as a role that may only select."
        )
    }
}

extension ForebayConfiguration.Retention {
    fileprivate func check(_ checks: inout ConfigurationChecks, nodes: Int) {
        checks.range("retention.min_age", minAge, .zero...(.seconds(365 * 86_400)))
        if case .atLeast(let count) = requiredReplicas {
            checks.expect(
                count < nodes,
                "retention.required_replicas",
                with: ["postgres.nodes"],
                found: String(count),
                expected: "fewer than the \(nodes) nodes of postgres.nodes, one of which is the primary"
            )
        }
    }
}

extension ForebayConfiguration.Idempotency {
    fileprivate func check(_ checks: inout ConfigurationChecks) {
        checks.expect(
            scope == .proxy,
            "idempotency.scope",
            found: "database",
            expected: "proxy",
            remedy: "Keys that several proxies share are not served in this version."
        )
        checks.range("idempotency.window", window, .seconds(1)...(.seconds(30 * 86_400)))
        checks.range("idempotency.max_keys", maxKeys, 1...100_000_000)
    }
}

extension ForebayConfiguration.Delivery {
    fileprivate func check(_ checks: inout ConfigurationChecks) {
        checks.range("delivery.max_rows", maxRows, 1...10_000_000)
        checks.range("delivery.max_bytes", maxBytes, ByteCount(1 << 16)...ByteCount(mebibytes: 512))
        checks.range("delivery.max_delay", maxDelay, .zero...(.seconds(60)))
        checks.range("delivery.target_time", targetTime, .milliseconds(1)...(.seconds(60)))
        checks.range("delivery.retry_min", retryMin, .milliseconds(1)...(.seconds(60)))
        checks.expect(
            retryMax >= retryMin && retryMax <= .seconds(3600),
            "delivery.retry_max",
            with: ["delivery.retry_min"],
            found: retryMax.configured,
            expected: "delivery.retry_min (\(retryMin.configured)) to 1h"
        )
        checks.range("delivery.parked_for", parkedFor, .seconds(1)...(.seconds(86_400)))
    }
}

extension ForebayConfiguration.Ingest {
    fileprivate func check(_ checks: inout ConfigurationChecks) {
        let most = ByteCount(gibibytes: 1)
        checks.range("ingest.max_body", maxBody, ByteCount(1024)...most)
        checks.range("ingest.max_event", maxEvent, ByteCount(1024)...ByteCount(mebibytes: 256))
        checks.range("ingest.max_connections", maxConnections, 1...1_000_000)
        checks.expect(
            maxInflated >= maxBody && maxInflated <= most,
            "ingest.max_inflated",
            with: ["ingest.max_body"],
            found: maxInflated.description,
            expected: "ingest.max_body (\(maxBody)) to \(most)"
        )
        checks.expect(
            maxInFlight >= maxBody,
            "ingest.max_in_flight",
            with: ["ingest.max_body"],
            found: maxInFlight.description,
            expected: "ingest.max_body (\(maxBody)) at least"
        )
        for (key, timeout) in [
            ("header_timeout", headerTimeout), ("body_timeout", bodyTimeout), ("idle_timeout", idleTimeout),
            ("wait_timeout", waitTimeout),
        ] {
            checks.range("ingest.\(key)", timeout, .milliseconds(1)...(.seconds(3600)))
        }
    }
}

extension ForebayConfiguration.Read {
    fileprivate func check(_ checks: inout ConfigurationChecks) {
        checks.range("read.pool_size", poolSize, 1...10_000)
        checks.range("read.max_lag", maxLag, .zero...(.seconds(86_400)))
        checks.range("read.max_connections", maxConnections, 1...1_000_000)
        checks.range("read.max_connections_per_user", maxConnectionsPerUser, 1...1_000_000)
        checks.range("read.login_timeout", loginTimeout, .milliseconds(100)...(.seconds(300)))
        checks.range("read.idle_timeout", idleTimeout, .zero...(.seconds(365 * 86_400)))
        checks.range("read.transaction_idle_timeout", transactionIdleTimeout, .zero...(.seconds(86_400)))
        checks.range("read.statement_timeout", statementTimeout, .zero...(.seconds(86_400)))
        checks.range("read.max_message", maxMessage, ByteCount(65_536)...ByteCount(mebibytes: 1023))
        checks.range("read.prepared_statements", preparedStatements, 1...100_000)
        checks.range("read.query_max_rows", queryMaxRows, 1...1_000_000_000)
        checks.range("read.query_timeout", queryTimeout, .milliseconds(1)...(.seconds(86_400)))
        checks.range("read.wait", wait, .zero...(.seconds(3600)))
        checks.range("read.read_after_write_ttl", readAfterWriteTTL, .zero...(.seconds(86_400)))
        if let address = listen.first(where: { !$0.isLoopback }) {
            checks.warn(
                if: tls == nil,
                "read.tls",
                "What is read travels to \(address) in plain text; set read.tls unless something in front of it does TLS."
            )
        }
    }
}
