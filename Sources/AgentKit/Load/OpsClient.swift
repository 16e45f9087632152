import AsyncHTTPClient
import FoundationEssentials
import NIOCore

/// Asks a proxy's ops port.
package struct OpsClient: Sendable {
    /// The part of `/v1/status` that a load generator needs.
    package struct Status: Hashable, Sendable, Decodable {
        package var pid: Int
    }

    private let url: String

    package init(url: String) {
        self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
    }

    /// Nil if the port does not answer, or answers something else.
    package func status() async -> Status? {
        do {
            let request = HTTPClientRequest(url: url + "/v1/status")
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(2))
            let body = try await response.body.collect(upTo: 1 << 20)
            return try JSONDecoder().decode(Status.self, from: Data(body.readableBytesView))
        } catch {
            return nil
        }
    }
}
