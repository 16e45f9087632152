import Foundation

/// What drills read of the proxy's `/v1/status`.
package struct ProxyStatus: Decodable, Sendable {
    package struct Lane: Decodable, Sendable {
        package var queue: String
        package var lane: Int
        package var state: String
        package var epoch: Int
        package var durable: Int
        package var committed: Int
        package var replicated: Int?
        package var trimmed: Int

        package var name: String { "\(queue).\(lane)" }
    }

    package struct Cluster: Decodable, Sendable {
        package var primary: String?
        /// `whole`, `holding` or `degraded`.
        package var replication: String
        package var nodes: [Node]
    }

    package struct Node: Decodable, Sendable {
        package var node: String
        package var state: String
        package var isSlow: Bool
        package var reason: String?
    }

    package struct Delivery: Decodable, Sendable {
        package var resentRows: Int
        package var lostEvents: Int
    }

    package struct Conservation: Decodable, Sendable {
        package var difference: Int
    }

    package var lanes: [Lane]
    package var cluster: Cluster
    package var delivery: Delivery
    package var conservation: Conservation

    /// The state that the proxy gives the node at this address; nil if it does not know it.
    package func state(of address: String) -> String? { node(at: address)?.state }

    package func node(at address: String) -> Node? { cluster.nodes.first { $0.node == address } }
}

extension Yard {
    /// What the proxy says of itself; nil if it does not answer.
    package func status() throws -> ProxyStatus? {
        guard let answer = ops.get("/v1/status"), answer.status == 200 else { return nil }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(ProxyStatus.self, from: Data(answer.body.utf8))
    }
}
