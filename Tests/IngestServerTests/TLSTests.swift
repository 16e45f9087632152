import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Testing

@testable import IngestServer

/// Both listeners behind TLS, with a certificate that `openssl` makes for the test.
@Suite struct TLSTests {
    /// Files in a directory of their own, gone with the value.
    private final class Certificate {
        let directory: String
        var files: IngestConfiguration.TLS {
            IngestConfiguration.TLS(certificateChain: "\(directory)/chain.pem", privateKey: "\(directory)/key.pem")
        }

        init() throws {
            var template = Array("/tmp/forebay-tls-XXXXXX".utf8CString)
            directory = String(cString: try #require(mkdtemp(&template)))
            let made = system(
                "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
                    + "-addext subjectAltName=DNS:localhost -keyout \(directory)/key.pem -out \(directory)/chain.pem 2>/dev/null"
            )
            try #require(made == 0)
        }

        deinit {
            unlink(files.certificateChain)
            unlink(files.privateKey)
            rmdir(directory)
        }
    }

    /// Sends text and collects what comes back until the connection ends.
    private static func exchange(_ text: String, port: Int, _ certificate: Certificate) async throws -> String {
        var settings = TLSConfiguration.makeClientConfiguration()
        settings.trustRoots = .file(certificate.files.certificateChain)
        let context = try NIOSSLContext(configuration: settings)
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = try NIOSSLClientHandler(context: context, serverHostname: "localhost")
                    try channel.pipeline.syncOperations.addHandler(handler)
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: text))
            var answer = ""
            for try await buffer in inbound { answer += String(buffer: buffer) }
            return answer
        }
    }

    @Test func bothProtocolsBehindTLS() async throws {
        let certificate = try Certificate()
        let configuration = IngestConfiguration.loopback
            .with(\.httpTLS, certificate.files).with(\.tcpTLS, certificate.files)
        try await RunningServer.run(configuration) { running in
            let post = RunningServer.post(#"{"id":1}"#, fields: "Connection: close\r\n")
            let answer = try await Self.exchange(post, port: running.httpPort, certificate)
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.hasSuffix(#"{"accepted":1,"receipt":"\#(ScriptedBackend.queueText).0.1"}"#))
            // An answer that is followed by a lingering close arrives as well.
            let refused = try await Self.exchange("GET  / HTTP/1.1\r\n\r\n", port: running.httpPort, certificate)
            #expect(refused.hasPrefix("HTTP/1.1 400 Bad request\r\n"))
            let lines = #"{"forebay":{"ack":true}}"# + "\n" + #"{"id":1}"# + "\n" + #"{"forebay":{}}"# + "\n"
            let answers = try await Self.exchange(lines, port: running.tcpPort, certificate)
            #expect(answers.hasPrefix(#"{"ok":1,"receipt":"\#(ScriptedBackend.queueText).0.2"}"#))
            #expect(answers.contains(#""closing":true"#))
        }
    }

    @Test func aCertificateThatCannotBeReadStopsTheStart() async throws {
        let missing = IngestConfiguration.TLS(certificateChain: "/nowhere/chain.pem", privateKey: "/nowhere/key.pem")
        await #expect(throws: (any Error).self) {
            try await RunningServer.run(.loopback.with(\.tcpTLS, missing)) { _ in }
        }
    }

    @Test func anAddressThatIsTakenStopsTheStart() async throws {
        try await RunningServer.run { running in
            let taken = IngestConfiguration.Endpoint(host: "127.0.0.1", port: running.httpPort)
            await #expect(throws: (any Error).self) {
                try await RunningServer.run(.loopback.with(\.tcp, [taken])) { _ in }
            }
        }
    }
}
