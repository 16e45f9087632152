import AgentKit
import ArgumentParser
import ForebayRuntime
import Glibc

/// Where the proxy is and how to speak to it: shared by the verbs that send events.
struct ProxyOptions: ParsableArguments {
    @OptionGroup var source: ConfigurationOptions

    @Option(help: "Address of the proxy's ingest port. Default: the configuration's, else http://127.0.0.1:4318.")
    var url: String?

    @Option(help: "Stream to send to.")
    var stream = "apirequests"

    @Option(help: "Bearer token. Without it, the environment variable FOREBAY_TOKEN is used, if it is set.")
    var token: String?

    @Flag(help: "Take any TLS certificate.")
    var insecure = false

    func validate() throws {
        if let url, !url.hasPrefix("http://"), !url.hasPrefix("https://") {
            throw ValidationError("--url must begin with http:// or https://, found '\(url)'")
        }
        guard !stream.isEmpty, stream.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x2F && $0 != 0x3F }) else {
            throw ValidationError("--stream must be the name of a stream, found '\(stream)'")
        }
    }

    var bearer: String? {
        token ?? getenv("FOREBAY_TOKEN").map { String(cString: $0) }
    }

    private func address() throws -> String {
        if let url { return url }
        let configuration = try source.loadIfPresent()
        return "\(configuration.ingest.tls == nil ? "http" : "https")://\(configuration.ingestAddress)"
    }

    func clientSettings(timeout: Duration) throws -> IngestClient.Settings {
        IngestClient.Settings(url: try address(), stream: stream, token: bearer, insecure: insecure, timeout: timeout)
    }
}

/// 16 hexadecimal digits that no other run has.
func freshRunName() -> String {
    var name: [UInt8] = []
    var word = UInt64.random(in: 0...UInt64.max)
    for _ in 0..<16 {
        name.append(hexadecimalDigit(word))
        word >>= 4
    }
    return String(decoding: name, as: UTF8.self)
}
