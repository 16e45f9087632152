extension ServiceCatalog {
    /// Appends the event as one line of JSON, line feed included.
    ///
    /// - Parameters:
    ///   - trace: the trace id to write instead of the generated one; it needs no escapes.
    ///   - padding: text that makes the event larger, in its tags; it needs no escapes.
    /// - Returns: where in `bytes` the trace id begins, 32 hexadecimal digits, for senders that number their events there.
    @discardableResult
    package func appendLine(
        _ request: APIRequest,
        trace: String? = nil,
        padding: ArraySlice<UInt8> = [],
        to bytes: inout [UInt8]
    ) -> Int {
        let endpoint = endpoints[request.endpoint]
        bytes.append(literal: "{\"time\":\"")
        request.time.append(to: &bytes)
        bytes.append(literal: "\"")
        bytes.append(contentsOf: endpoint.json)
        bytes.append(decimal: Int64(request.statusCode))
        bytes.append(literal: ",\"latency_ms\":")
        bytes.append(thousandths: request.latencyMicroseconds)
        bytes.append(literal: ",\"request_bytes\":")
        bytes.append(decimal: request.requestBytes)
        bytes.append(literal: ",\"response_bytes\":")
        bytes.append(decimal: request.responseBytes)
        bytes.append(literal: ",\"trace_id\":\"")
        let place = bytes.count
        if let trace {
            bytes.append(contentsOf: trace.utf8)
        } else {
            bytes.append(hexadecimal: request.traceHigh, digits: 16)
            bytes.append(hexadecimal: request.traceLow, digits: 16)
        }
        bytes.append(literal: "\",\"client_ip\":\"")
        append(request.client, to: &bytes)
        bytes.append(literal: "\",\"user_agent\":\"")
        bytes.append(contentsOf: Self.userAgents[request.userAgent].utf8)
        bytes.append(literal: "\",\"tags\":")
        appendTags(request, padding: padding, to: &bytes)
        bytes.append(literal: "}\n")
        return place
    }

    /// The event's tags as a JSON object.
    func appendTags(_ request: APIRequest, padding: ArraySlice<UInt8> = [], to bytes: inout [UInt8]) {
        bytes.append(literal: "{\"region\":\"")
        bytes.append(contentsOf: Self.regions[request.region].utf8)
        bytes.append(literal: "\",\"release\":")
        bytes.append(decimal: Int64(request.release))
        bytes.append(literal: ",\"instance\":\"")
        bytes.append(contentsOf: services[endpoints[request.endpoint].service].utf8)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(decimal: Int64(request.instance))
        bytes.append(literal: "\"")
        if request.cached {
            bytes.append(literal: ",\"cache\":\"hit\"")
        }
        if request.statusCode == 504 {
            bytes.append(literal: ",\"error\":\"upstream timed out\"")
        }
        if !padding.isEmpty {
            bytes.append(literal: ",\"padding\":\"")
            bytes.append(contentsOf: padding)
            bytes.append(literal: "\"")
        }
        bytes.append(literal: "}")
    }

    private func append(_ client: APIRequest.ClientAddress, to bytes: inout [UInt8]) {
        switch client {
        case .v4(let address):
            for shift in [24, 16, 8, 0] as [UInt32] {
                bytes.append(decimal: Int64(address >> shift & 0xFF))
                if shift > 0 {
                    bytes.append(UInt8(ascii: "."))
                }
            }
        case .v6(let address):
            bytes.append(literal: "2001:db8:0:0")
            for shift in [48, 32, 16, 0] as [UInt64] {
                bytes.append(UInt8(ascii: ":"))
                bytes.append(hexadecimal: address >> shift & 0xFFFF, digits: 4)
            }
        }
    }
}
