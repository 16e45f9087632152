/// The fictitious installation whose traffic is generated: 40 services with ten endpoints each.
package struct ServiceCatalog: Sendable {
    package struct Endpoint: Sendable {
        package var service: Int
        package var method: String
        package var path: String
        /// Half of the requests take at most this long, in milliseconds.
        package var medianLatency: Double
        /// The spread of the latency's logarithm.
        package var sigma: Double
        package var medianRequestBytes: Double
        package var medianResponseBytes: Double
        /// Share of requests that a client got wrong (4xx).
        package var clientErrors: Double
        /// Share of requests that fail (5xx) outside a burst.
        package var serverErrors: Double
        /// `,"service":…,"endpoint":…,"method":…,"status_code":` as it stands in an event.
        package var json: [UInt8]
    }

    package let services: [String]
    package let endpoints: [Endpoint]
    package let popularity: AliasTable

    package init(seed: UInt64) {
        var random = SeededRandom(seed: seed ^ 0x5E41_11CE)
        var endpoints: [Endpoint] = []
        var weights: [Double] = []
        for (service, entry) in Self.names.enumerated() {
            // Popularity falls with rank (Zipf); the rank is the place in the list below.
            let share = 1 / (Double(service) + 2)
            let slowness = random.logNormal(median: 1, sigma: 0.5)
            for (rank, noun) in [entry.first, entry.second].enumerated() {
                for operation in Self.operations {
                    let path = "/v1/\(noun)" + operation.suffix
                    endpoints.append(
                        Endpoint(
                            service: service,
                            method: operation.method,
                            path: path,
                            medianLatency: operation.latency * slowness * random.logNormal(median: 1, sigma: 0.3),
                            sigma: 0.35 + 0.4 * random.unit(),
                            medianRequestBytes: operation.requestBytes * random.logNormal(median: 1, sigma: 0.3),
                            medianResponseBytes: operation.responseBytes * random.logNormal(median: 1, sigma: 0.5),
                            clientErrors: operation.clientErrors * (0.5 + random.unit()),
                            serverErrors: 0.002 + 0.004 * random.unit() * random.unit(),
                            json: Array(
                                """
                                ,"service":"\(entry.name)","endpoint":"\(path)","method":"\(operation.method)","status_code":
                                """.utf8
                            )
                        )
                    )
                    weights.append(
                        share * operation.weight / Double(rank + 1) * random.logNormal(median: 1, sigma: 0.4)
                    )
                }
            }
        }
        services = Self.names.map(\.name)
        self.endpoints = endpoints
        popularity = AliasTable(weights: weights)
    }

    private struct Operation {
        var method: String
        var suffix: String
        var weight: Double
        var latency: Double
        var requestBytes: Double
        var responseBytes: Double
        var clientErrors: Double
    }

    private static let operations = [
        Operation(
            method: "GET",
            suffix: "",
            weight: 30,
            latency: 18,
            requestBytes: 420,
            responseBytes: 9_000,
            clientErrors: 0.012
        ),
        Operation(
            method: "POST",
            suffix: "",
            weight: 12,
            latency: 32,
            requestBytes: 1_400,
            responseBytes: 620,
            clientErrors: 0.035
        ),
        Operation(
            method: "GET",
            suffix: "/{id}",
            weight: 45,
            latency: 6,
            requestBytes: 380,
            responseBytes: 1_800,
            clientErrors: 0.028
        ),
        Operation(
            method: "PUT",
            suffix: "/{id}",
            weight: 9,
            latency: 24,
            requestBytes: 1_600,
            responseBytes: 480,
            clientErrors: 0.025
        ),
        Operation(
            method: "DELETE",
            suffix: "/{id}",
            weight: 3,
            latency: 14,
            requestBytes: 360,
            responseBytes: 120,
            clientErrors: 0.04
        ),
    ]

    /// The most visited first.
    private static let names: [(name: String, first: String, second: String)] = [
        ("gateway", "sessions", "routes"), ("catalog", "products", "categories"), ("search", "queries", "suggestions"),
        ("cart", "carts", "items"), ("identity", "users", "tokens"), ("pricing", "prices", "discounts"),
        ("checkout", "checkouts", "quotes"), ("orders", "orders", "order-lines"),
        ("inventory", "stock", "reservations"),
        ("payments", "payments", "refunds"), ("recommendations", "recommendations", "models"),
        ("media", "images", "renditions"), ("reviews", "reviews", "ratings"),
        ("notifications", "messages", "templates"),
        ("shipping", "shipments", "labels"), ("tracking", "parcels", "scans"), ("accounts", "accounts", "addresses"),
        ("wishlist", "wishlists", "shares"), ("promotions", "campaigns", "vouchers"), ("content", "pages", "blocks"),
        ("loyalty", "points", "rewards"), ("fraud", "assessments", "rules"), ("invoicing", "invoices", "credit-notes"),
        ("tax", "rates", "declarations"), ("returns", "returns", "inspections"), ("warehouse", "picks", "bins"),
        ("suppliers", "suppliers", "purchase-orders"), ("support", "tickets", "articles"), ("chat", "rooms", "posts"),
        ("email", "deliveries", "bounces"), ("analytics", "reports", "segments"), ("experiments", "flags", "variants"),
        ("scheduler", "jobs", "triggers"), ("exports", "exports", "archives"), ("webhooks", "endpoints", "attempts"),
        ("audit", "records", "policies"), ("geo", "places", "regions"), ("translations", "texts", "languages"),
        ("ledger", "entries", "balances"), ("admin", "settings", "operators"),
    ]

    static let regions = ["eu-central-1", "eu-west-1", "us-east-1", "ap-south-1"]
    static let userAgents = [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1",
        "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Firefox/132.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1) Mobile/15E148",
        "Mozilla/5.0 (Linux; Android 14) Chrome/131.0 Mobile",
        "shop-ios/8.14.1", "shop-android/8.13.0", "python-requests/2.32.3", "okhttp/4.12.0", "curl/8.10.1",
        "Go-http-client/2.0", "axios/1.7.7", "kube-probe/1.31",
    ]
}
