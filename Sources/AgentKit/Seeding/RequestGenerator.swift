/// Generates the API requests of ``ServiceCatalog`` in the order of their time, completely fixed by the seed, the number of
/// events and the range.
///
/// Latencies are log-normal per endpoint with one request in fifty drawn into a Pareto tail. Failures come mostly in bursts:
/// a service that has one fails a third of its requests for five minutes.
package struct RequestGenerator: Sendable {
    package let catalog: ServiceCatalog
    package let count: Int
    /// How many have been generated.
    package private(set) var produced = 0

    private let seed: UInt64
    private let rhythm: DayRhythm
    private var random: SeededRandom

    /// - Parameters:
    ///   - count: how many events the range is to hold, above 0.
    ///   - to: after `from`.
    package init(seed: UInt64, count: Int, from: Timestamp, to: Timestamp) {
        precondition(count > 0, "the range must hold events")
        self.seed = seed
        self.count = count
        catalog = ServiceCatalog(seed: seed)
        rhythm = DayRhythm(from: from, to: to)
        random = SeededRandom(seed: seed)
    }

    /// The next event; nil after `count` events.
    package mutating func next() -> APIRequest? {
        guard produced < count else { return nil }
        let share = (Double(produced) + random.unit()) / Double(count)
        produced += 1
        let time = rhythm.moment(at: min(share, 1))
        let index = catalog.popularity.draw(&random)
        let endpoint = catalog.endpoints[index]

        let status = statusCode(of: endpoint, at: time)
        let latency = latency(of: endpoint, status: status)
        let cached = endpoint.method == "GET" && status == 200 && random.chance(0.4)
        let answer =
            status >= 400 || status == 204
            ? 90 + Double(random.below(200)) : random.logNormal(median: endpoint.medianResponseBytes, sigma: 0.8)
        return APIRequest(
            time: time,
            endpoint: index,
            statusCode: status,
            latencyMicroseconds: max(100, Int64((cached ? latency * 0.15 : latency) * 1000)),
            requestBytes: Int64(random.logNormal(median: endpoint.medianRequestBytes, sigma: 0.3)),
            responseBytes: min(50_000_000, Int64(answer)),
            traceHigh: random.next(),
            traceLow: random.next(),
            client: client(),
            userAgent: random.below(ServiceCatalog.userAgents.count),
            region: random.below(ServiceCatalog.regions.count),
            release: release(of: endpoint.service, at: time),
            instance: random.below(6),
            cached: cached
        )
    }

    private mutating func statusCode(of endpoint: ServiceCatalog.Endpoint, at time: Timestamp) -> Int {
        let failing = isBurst(service: endpoint.service, at: time) ? 0.35 : endpoint.serverErrors
        let draw = random.unit()
        if draw < failing {
            return Self.serverErrors[random.below(Self.serverErrors.count)]
        }
        if draw < failing + endpoint.clientErrors {
            return Self.clientErrors[random.below(Self.clientErrors.count)]
        }
        switch endpoint.method {
        case "POST": return 201
        case "DELETE": return 204
        default: return 200
        }
    }

    /// In milliseconds.
    private mutating func latency(of endpoint: ServiceCatalog.Endpoint, status: Int) -> Double {
        switch status {
        case 504: return 10_000 + random.logNormal(median: 200, sigma: 0.5)
        case 503: return random.logNormal(median: 3, sigma: 0.4)
        case 400..<500: return random.logNormal(median: 2.5, sigma: 0.5)
        default: break
        }
        let ordinary = random.logNormal(median: endpoint.medianLatency, sigma: endpoint.sigma)
        guard random.chance(0.02) else { return ordinary }
        return min(30_000, ordinary * 4 * random.paretoSquare(limit: 200))
    }

    /// About three of two hundred five-minute slices of each service are a burst of failures; the seed says which.
    package func isBurst(service: Int, at time: Timestamp) -> Bool {
        let slice = UInt64(bitPattern: time.microseconds / (300 * Timestamp.microsecondsPerSecond))
        let hash = SeededRandom.mix(seed ^ SeededRandom.mix(slice &* 64 &+ UInt64(service)))
        return hash < UInt64.max / 200 * 3
    }

    /// A service is released about every third day, at a moment of its own.
    private func release(of service: Int, at time: Timestamp) -> Int {
        let shift = Int64(SeededRandom.mix(seed &+ UInt64(service)) % UInt64(3 * Timestamp.microsecondsPerDay))
        return Int((time.microseconds + shift) / (3 * Timestamp.microsecondsPerDay) % 1000)
    }

    private mutating func client() -> APIRequest.ClientAddress {
        // Squaring makes some of the 60,000 clients much busier than others.
        let u = random.unit()
        let person = UInt64(u * u * 60_000)
        let hash = SeededRandom.mix(seed &+ 0xC11E_0000_0000 &+ person)
        if hash & 7 == 0 {
            return .v6(hash | 1)
        }
        // 100.64.0.0/10 (RFC 6598): addresses that never belong to anyone on the Internet.
        return .v4(0x6440_0000 | UInt32(truncatingIfNeeded: hash >> 32) & 0x003F_FFFF)
    }

    static let serverErrors = [500, 500, 502, 503, 503, 504]
    static let clientErrors = [400, 401, 403, 404, 404, 404, 409, 422, 429]
}
