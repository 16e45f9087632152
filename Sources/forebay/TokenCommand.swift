import ArgumentParser
import ForebayRuntime
import FoundationEssentials

struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make tokens for agents.",
        subcommands: [TokenCreateCommand.self]
    )
}

struct TokenCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a token, print it once, and add its digest to the file of tokens.",
        discussion: """
            The file holds SHA-256 digests only, so a token that is lost can't be looked up: make another. Agents send it as \
            Authorization: Bearer TOKEN, or as "token" in the first line over TCP. The proxy asks for tokens when its \
            configuration says ingest: { auth: tokens }. With --read, the token is one for queries over HTTP, and writes nothing.

            Exit codes: 0; 1 the file can't be read or written, or has the name already; 64 wrong usage; \
            78 faults in the configuration.

            Examples:
              forebay token create nginx-web-1
              forebay token create collector --stream apirequests --stream audit
              forebay token create laptop --file ./tokens
              forebay token create grafana --read
            """
    )

    @Argument(help: "Whom the token is for: letters, digits, '_', '-', '.', '@'.")
    var name: String

    @Option(name: .customLong("stream"), help: "A stream it may write to; may be given again. Default: every stream.")
    var streams: [String] = []

    @Flag(name: .customLong("read"), help: "The token may query, and not write.")
    var reads = false

    @Option(help: "File of tokens. Default: ingest.tokens_file, or read.tokens_file, of the configuration.")
    var file: String?

    @Option(name: .shortAndLong, help: "Configuration file. Default: forebay.yaml, then /etc/forebay/forebay.yaml.")
    var config: String?

    func validate() throws {
        let isAllowed = { (text: String) in
            (1...64).contains(text.utf8.count)
                && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_-.@".contains($0)) }
        }
        guard isAllowed(name) else {
            throw ValidationError("a name is 1 to 64 letters, digits, '_', '-', '.' or '@', not \"\(name)\"")
        }
        guard !reads || streams.isEmpty else {
            throw ValidationError("a token that reads has no streams: it reads whatever the reader may")
        }
        for stream in streams where !isAllowed(stream) {
            throw ValidationError("\"\(stream)\" can't be a stream's name")
        }
    }

    func run() async throws {
        let path = try path()
        let token = TokenFile.makeToken()
        let entry = TokenFile.Entry(
            digest: TokenFile.digest(of: token),
            name: name,
            streams: streams.isEmpty ? nil : streams
        )
        do {
            try TokenFile.add(entry, to: path)
        } catch {
            printError("The token was not made: \(error).")
            throw ExitCode(1)
        }
        // The token alone goes to standard output, so that it can be piped to where it belongs.
        printError("Added \(name) to \(path). This is its token, shown this once:")
        print(token)
    }

    private func path() throws -> String {
        if let file { return file }
        do {
            let loaded = try ForebayConfiguration.load(path: config, environment: ProcessInfo.processInfo.environment)
            let known = Set(loaded.configuration.streams.map(\.name))
            for stream in streams where !known.contains(stream) {
                throw ValidationError(
                    "\(stream) is no stream of the configuration (\(known.sorted().joined(separator: ", ")))"
                )
            }
            guard reads else { return loaded.configuration.ingest.tokensFile }
            guard let path = loaded.configuration.read.tokensFile else {
                printError("The configuration has no read.tokens_file; name one there, or a file by --file.")
                throw ExitCode(78)
            }
            return path
        } catch let faults as ConfigurationFaults {
            printError("\(faults)")
            throw ExitCode(78)
        }
    }
}
