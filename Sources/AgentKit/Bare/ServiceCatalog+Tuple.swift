extension ServiceCatalog {
    /// The columns of `apirequests` in the order in which ``appendTuple(_:to:)`` writes them.
    package static let columns = [
        "time", "service", "endpoint", "method", "status_code", "latency_ms", "request_bytes", "response_bytes",
        "trace_id", "client_ip", "user_agent", "tags",
    ]

    /// Appends the event as a tuple of COPY's binary format (PostgreSQL manual, "COPY", section "Binary Format"; the fields as
    /// the types' `_send` functions write them). Independent of the proxy's own encoding on purpose: what both ways put into a
    /// table can be compared.
    package func appendTuple(_ request: APIRequest, to bytes: inout [UInt8]) {
        let endpoint = endpoints[request.endpoint]
        bytes.append(bigEndian: UInt16(Self.columns.count))
        bytes.append(bigEndian: 8 as UInt32)
        // timestamptz counts microseconds from 2000-01-01.
        let epoch: Int64 = 946_684_800 * Timestamp.microsecondsPerSecond
        bytes.append(bigEndian: UInt64(bitPattern: request.time.microseconds - epoch))
        bytes.append(field: services[endpoint.service].utf8)
        bytes.append(field: endpoint.path.utf8)
        bytes.append(field: endpoint.method.utf8)
        bytes.append(bigEndian: 2 as UInt32)
        bytes.append(bigEndian: UInt16(request.statusCode))
        bytes.append(bigEndian: 8 as UInt32)
        bytes.append(bigEndian: (Double(request.latencyMicroseconds) / 1000).bitPattern)
        for size in [request.requestBytes, request.responseBytes] {
            bytes.append(bigEndian: 4 as UInt32)
            bytes.append(bigEndian: UInt32(truncatingIfNeeded: size))
        }
        bytes.append(bigEndian: 32 as UInt32)
        bytes.append(hexadecimal: request.traceHigh, digits: 16)
        bytes.append(hexadecimal: request.traceLow, digits: 16)
        append(inet: request.client, to: &bytes)
        bytes.append(field: Self.userAgents[request.userAgent].utf8)
        var tags: [UInt8] = []
        appendTags(request, to: &tags)
        bytes.append(bigEndian: UInt32(tags.count + 1))
        // The version of jsonb's binary form.
        bytes.append(1)
        bytes.append(contentsOf: tags)
    }

    /// Family (2 for IPv4, 3 for IPv6), bits of the mask, 0 for inet, length, address.
    private func append(inet client: APIRequest.ClientAddress, to bytes: inout [UInt8]) {
        switch client {
        case .v4(let address):
            bytes.append(bigEndian: 8 as UInt32)
            bytes.append(contentsOf: [2, 32, 0, 4])
            bytes.append(bigEndian: address)
        case .v6(let address):
            bytes.append(bigEndian: 20 as UInt32)
            bytes.append(contentsOf: [3, 128, 0, 16])
            bytes.append(bigEndian: 0x2001_0DB8_0000_0000 as UInt64)
            bytes.append(bigEndian: address)
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    fileprivate mutating func append(field text: some Collection<UInt8>) {
        append(bigEndian: UInt32(text.count))
        append(contentsOf: text)
    }
}
