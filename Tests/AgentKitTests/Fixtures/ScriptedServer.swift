import NIOCore
import NIOPosix

/// A ``ScriptedProxy`` on a loopback port, over HTTP, and over the TCP protocol for connections that begin with a brace.
struct ScriptedServer: Sendable {
    private let channel: any Channel

    /// Runs the body with the server's port, and closes the server afterwards.
    static func with<Result>(
        _ proxy: ScriptedProxy,
        _ body: (_ port: Int) async throws -> Result
    ) async throws -> Result {
        let server = try await ScriptedServer(proxy, port: 0)
        do {
            let result = try await body(server.port)
            try await server.close()
            return result
        } catch {
            try? await server.close()
            throw error
        }
    }

    /// - Parameter port: 0 for any.
    init(_ proxy: ScriptedProxy, port: Int) async throws {
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ScriptedConnection(proxy))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
    }

    var port: Int { channel.localAddress?.port ?? 0 }

    func close() async throws {
        try await channel.close()
    }
}

/// One connection of the scripted server.
private final class ScriptedConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let proxy: ScriptedProxy
    private var received: [UInt8] = []
    private var saidHello = false

    init(_ proxy: ScriptedProxy) {
        self.proxy = proxy
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += unwrapInboundIn(data).readableBytesView
        if received.first == UInt8(ascii: "{") {
            readLines(context)
        } else {
            readRequests(context)
        }
    }

    private func readRequests(_ context: ChannelHandlerContext) {
        while let end = received.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound {
            let head = String(decoding: received[..<end], as: UTF8.self).split(separator: "\r\n")
            func value(_ name: String) -> String? {
                head.first { $0.lowercased().hasPrefix(name + ":") }.map {
                    String($0.dropFirst(name.count + 1).drop { $0 == " " })
                }
            }
            let length = value("content-length").flatMap { Int($0) } ?? 0
            guard received.count >= end + length else { return }
            let body = String(decoding: received[end..<(end + length)], as: UTF8.self)
            received.removeFirst(end + length)
            let lines = body.split(separator: "\n").map { String($0) }
            respond(proxy.take(lines, key: value("idempotency-key")), context)
        }
    }

    private func respond(_ answer: ScriptedProxy.Answer, _ context: ChannelHandlerContext) {
        let length = "Content-Length: \(answer.body.utf8.count)\r\n"
        switch answer.deed {
        case .accept: write("HTTP/1.1 200 OK\r\n\(length)\r\n\(answer.body)", context)
        case .refuse(let status):
            write("HTTP/1.1 \(status) No\r\nRetry-After: 0\r\n\(length)\r\n\(answer.body)", context)
        case .storeAndAnswerHalf:
            write("HTTP/1.1 200 OK\r\n\(length)\r\n\(answer.body.prefix(5))", context)
            context.close(promise: nil)
        case .close, .storeAndClose: context.close(promise: nil)
        case .storeAndHang: break
        }
    }

    private func readLines(_ context: ChannelHandlerContext) {
        while true {
            let ends = received.indices.filter { received[$0] == UInt8(ascii: "\n") }
            guard let first = ends.first else { return }
            let line = String(decoding: received[..<first], as: UTF8.self)
            if !saidHello {
                saidHello = line.hasPrefix("{\"forebay\":{\"stream\":")
                received.removeFirst(first + 1)
                continue
            }
            guard line.hasPrefix("{\"forebay\":{\"key\":\"") else {
                // Without a key, whatever has come is a batch.
                let last = ends[ends.count - 1]
                let text = String(decoding: received[..<last], as: UTF8.self)
                received.removeFirst(last + 1)
                respondLine(proxy.take(text.split(separator: "\n").map { String($0) }, key: nil), context)
                return
            }
            let key = String(line.split(separator: "\"")[5])
            let count = line.split(separator: ":").last.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
            guard ends.count > count else { return }
            let text = String(decoding: received[(first + 1)..<ends[count]], as: UTF8.self)
            received.removeFirst(ends[count] + 1)
            respondLine(proxy.take(text.split(separator: "\n").map { String($0) }, key: key), context)
        }
    }

    private func respondLine(_ answer: ScriptedProxy.Answer, _ context: ChannelHandlerContext) {
        switch answer.deed {
        case .accept: write("{\"ok\":\(answer.accepted),\"receipt\":\"r\"}\n", context)
        case .refuse:
            write("{\"error\":{\"lines\":\(answer.offered),\"retry\":true,\"reason\":\"full\"}}\n", context)
        case .storeAndAnswerHalf:
            write("{\"ok\":", context)
            context.close(promise: nil)
        case .close, .storeAndClose: context.close(promise: nil)
        case .storeAndHang: break
        }
    }

    private func write(_ text: String, _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
    }
}
