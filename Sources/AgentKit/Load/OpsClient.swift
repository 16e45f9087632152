import AsyncHTTPClient
import FoundationEssentials
import NIOCore

/// Asks a proxy's ops port.
package struct OpsClient: Sendable {
    private let url: String

    package init(url: String) {
        self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
    }

    /// The proxy's process from `/v1/status`; nil if the port does not answer or does not say.
    package func pid() async -> Int? {
        struct Status: Decodable {
            var pid: Int
        }
        do {
            let response = try await HTTPClient.shared.execute(
                HTTPClientRequest(url: url + "/v1/status"),
                timeout: .seconds(2)
            )
            let body = try await response.body.collect(upTo: 1 << 20)
            return try JSONDecoder().decode(Status.self, from: Data(body.readableBytesView)).pid
        } catch {
            return nil
        }
    }
}
