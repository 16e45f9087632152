import Records

/// Each section asks for its keys by name, with the default that the type has. What a section does not ask for is unknown.
extension ForebayConfiguration {
    init(reading root: ConfigurationSection) {
        self.init()
        queue = Queue(reading: root.section("queue"))
        postgres = Postgres(reading: root.section("postgres"))
        streams = Stream.all(reading: root, byDefault: streams)
        retention = Retention(reading: root.section("retention"))
        idempotency = Idempotency(reading: root.section("idempotency"))
        delivery = Delivery(reading: root.section("delivery"))
        ingest = Ingest(reading: root.section("ingest"), streams: streams)
        read = Read(reading: root.section("read"))
        ops = Ops(reading: root.section("ops"))
        log = Log(reading: root.section("log"))
        root.refuseUnknownKeys()
    }
}

extension ForebayConfiguration.Queue {
    fileprivate init(reading section: ConfigurationSection) {
        self.init()
        path = section.value("path", path)
        maxBytes = section.value("max_bytes", maxBytes)
        reserve = section.value("reserve", Self.defaultReserve(of: maxBytes))
        lanes = section.value("lanes", lanes)
        sync = section.value("sync", sync)
        syncInterval = section.value("sync_interval", syncInterval)
        segmentBytes = section.value("segment_bytes", segmentBytes)
        maxPending = section.value("max_pending", maxPending)
        encryption = ForebayConfiguration.Encryption(reading: section.section("encryption"))
        section.refuseUnknownKeys()
    }
}

extension ForebayConfiguration.Encryption {
    /// nil if neither the file nor a variable says anything about encryption.
    fileprivate init?(reading section: ConfigurationSection) {
        var keys: [String: KeySource] = [:]
        for (id, key) in section.namedSections("keys", members: ["file", "env"]) {
            let file: String? = key.optional("file")
            let variable: String? = key.optional("env")
            key.refuseUnknownKeys()
            switch (file, variable) {
            case (let file?, nil): keys[id] = .file(file)
            case (nil, let variable?): keys[id] = .environment(variable)
            case (_?, _?), (nil, nil):
                key.report(
                    found: file == nil ? "neither file nor env" : "both file and env",
                    expected: "either the path of a file or the name of a variable that holds the key"
                )
            }
        }
        let active: String? = section.optional("active")
        section.refuseUnknownKeys()
        guard section.isInFile || active != nil || !keys.isEmpty else { return nil }
        if active == nil { section.require("active", expected: "the id of the key for new segments") }
        self.init(keys: keys, active: active ?? "")
    }
}

extension ForebayConfiguration.Postgres {
    fileprivate init(reading section: ConfigurationSection) {
        self.init()
        nodes = section.list("nodes", nodes)
        database = section.value("database", database)
        sslmode = section.value("sslmode", sslmode)
        sslrootcert = section.optional("sslrootcert", sslrootcert)
        connectTimeout = section.value("connect_timeout", connectTimeout)
        statementDeadline = section.value("statement_deadline", statementDeadline)
        writer = writer.read(section.section("writer"), userVariable: "POSTGRES_APP_USER")
        reader = reader.read(section.section("reader"), userVariable: "POSTGRES_READONLY_USER")
        section.refuseUnknownKeys()
    }
}

extension ForebayConfiguration.Role {
    fileprivate func read(_ section: ConfigurationSection, userVariable: String) -> Self {
        var role = self
        role.user = section.value("user", user, or: userVariable)
        role.passwordFile = section.optional("password_file", passwordFile)
        role.passwordFileRequired = section.reader.places[section.fullKey("password_file")] != nil
        role.password = section.variableOnly(
            "password",
            remedy: "Put it into a file and name that as password_file, or set \(section.variableName("password"))."
        )
        section.refuseUnknownKeys()
        return role
    }
}

extension ForebayConfiguration.Stream {
    /// Streams in the file take the place of the default one; variables change those, and add others.
    fileprivate static func all(reading root: ConfigurationSection, byDefault: [Self]) -> [Self] {
        let names = ["table", "extra", "rename", "constants"]
        let sections = root.namedSections("streams", members: names)
        guard !sections.isEmpty else { return byDefault }
        var streams = sections.map { name, section in Self(name: name, reading: section, byDefault: byDefault) }
        if !root.section("streams").isInFile {
            let others = byDefault.filter { stream in !streams.contains { $0.name == stream.name } }
            streams = others + streams
        }
        return streams
    }

    private init(name: String, reading section: ConfigurationSection, byDefault: [Self]) {
        let usual = byDefault.first { $0.name == name }?.table
        self.init(
            name: name,
            table: section.value("table", usual ?? TableName(schema: "public", name: name))
        )
        extra = section.optional("extra")
        rename = section.texts("rename").map { Rename(field: $0.name, column: $0.text) }
        constants = section.texts("constants").map { Constant(column: $0.name, value: $0.text) }
        section.refuseUnknownKeys()
    }
}

extension ForebayConfiguration.Retention {
    fileprivate init(reading section: ConfigurationSection) {
        self.init()
        requiredReplicas = section.value("required_replicas", requiredReplicas)
        minAge = section.value("min_age", minAge)
        minBytes = section.value("min_bytes", minBytes)
        onRestore = section.value("on_restore", onRestore)
        onLostReplica = section.value("on_lost_replica", onLostReplica)
        section.refuseUnknownKeys()
    }
}

extension ForebayConfiguration.Idempotency {
    fileprivate init(reading section: ConfigurationSection) {
        self.init()
        scope = section.value("scope", scope)
        window = section.value("window", window)
        maxKeys = section.value("max_keys", maxKeys)
        section.refuseUnknownKeys()
    }
}

extension ForebayConfiguration.Delivery {
    fileprivate init(reading section: ConfigurationSection) {
        self.init()
        maxRows = section.value("max_rows", maxRows)
        maxBytes = section.value("max_bytes", maxBytes)
        maxDelay = section.value("max_delay", maxDelay)
        targetTime = section.value("target_time", targetTime)
        retryMin = section.value("retry_min", retryMin)
        retryMax = section.value("retry_max", retryMax)
        parkedFor = section.value("parked_for", parkedFor)
        section.refuseUnknownKeys()
    }
}

extension ForebayConfiguration.Ingest {
    fileprivate init(reading section: ConfigurationSection, streams: [ForebayConfiguration.Stream]) {
        self.init()
        http = section.list("http", http)
        tcp = section.list("tcp", tcp)
        let usual = streams.contains { $0.name == "apirequests" } ? "apirequests" : nil
        tcpStream = section.optional("tcp_stream", usual ?? (streams.count == 1 ? streams[0].name : nil))
        maxBody = section.value("max_body", maxBody)
        maxInflated = section.value("max_inflated", maxInflated)
        maxEvent = section.value("max_event", maxEvent)
        maxInFlight = section.value("max_in_flight", maxInFlight)
        maxConnections = section.value("max_connections", maxConnections)
        headerTimeout = section.value("header_timeout", headerTimeout)
        bodyTimeout = section.value("body_timeout", bodyTimeout)
        idleTimeout = section.value("idle_timeout", idleTimeout)
        waitTimeout = section.value("wait_timeout", waitTimeout)
        auth = section.value("auth", auth)
        tokensFile = section.value("tokens_file", tokensFile)
        tls = ForebayConfiguration.TLS(reading: section.section("tls"))
        section.refuseUnknownKeys()
    }
}

extension ForebayConfiguration.TLS {
    /// nil if neither the file nor a variable says anything about TLS.
    fileprivate init?(reading section: ConfigurationSection) {
        let certificate: String? = section.optional("certificate")
        let key: String? = section.optional("key")
        section.refuseUnknownKeys()
        guard section.isInFile || certificate != nil || key != nil else { return nil }
        if certificate == nil { section.require("certificate", expected: "the path of a PEM file") }
        if key == nil { section.require("key", expected: "the path of a PEM file") }
        self.init(certificate: certificate ?? "", key: key ?? "")
    }
}

extension ForebayConfiguration.Read {
    fileprivate init(reading section: ConfigurationSection) {
        self.init()
        listen = section.list("listen", listen)
        pool = section.value("pool", pool)
        poolSize = section.value("pool_size", poolSize)
        maxLag = section.value("max_lag", maxLag)
        maxLagBytes = section.value("max_lag_bytes", maxLagBytes)
        lastResort = section.value("last_resort", lastResort)
        overdue = section.value("overdue", overdue)
        wait = section.value("wait", wait)
        readAfterWriteTTL = section.value("read_after_write_ttl", readAfterWriteTTL, or: "READ_AFTER_WRITE_TTL")
        usersFile = section.optional("users_file", usersFile)
        maxConnections = section.value("max_connections", maxConnections)
        maxConnectionsPerUser = section.value("max_connections_per_user", maxConnectionsPerUser)
        loginTimeout = section.value("login_timeout", loginTimeout)
        idleTimeout = section.value("idle_timeout", idleTimeout)
        transactionIdleTimeout = section.value("transaction_idle_timeout", transactionIdleTimeout)
        statementTimeout = section.value("statement_timeout", statementTimeout)
        maxMessage = section.value("max_message", maxMessage)
        preparedStatements = section.value("prepared_statements", preparedStatements)
        tokensFile = section.optional("tokens_file", tokensFile)
        queryMaxRows = section.value("query_max_rows", queryMaxRows)
        queryTimeout = section.value("query_timeout", queryTimeout)
        tls = ForebayConfiguration.TLS(reading: section.section("tls"))
        section.refuseUnknownKeys()
    }
}

extension ForebayConfiguration.Ops {
    fileprivate init(reading section: ConfigurationSection) {
        self.init()
        listen = section.value("listen", listen)
        section.refuseUnknownKeys()
    }
}

extension ForebayConfiguration.Log {
    fileprivate init(reading section: ConfigurationSection) {
        self.init()
        level = section.value("level", level)
        format = section.value("format", format)
        section.refuseUnknownKeys()
    }
}
