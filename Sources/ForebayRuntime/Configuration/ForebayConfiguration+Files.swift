extension ForebayConfiguration {
    /// Checks the files that the configuration names: each one that is needed can be read and holds what it should.
    func checkFiles(_ checks: inout ConfigurationChecks, environment: [String: String]) {
        for (key, role) in [("postgres.writer", postgres.writer), ("postgres.reader", postgres.reader)] {
            guard role.password == nil, let path = role.passwordFile else { continue }
            let key = "\(key).password_file"
            do {
                _ = try role.resolvePassword()
                checks.warn(
                    if: role.passwordFileRequired && isReadableByOthers(path),
                    key,
                    "\(path) holds a password and others may read it; chmod 600 \(path)."
                )
            } catch {
                checks.expect(false, key, found: error.found, expected: error.expected)
            }
        }
        for (id, source) in queue.encryption?.keys.sorted(by: { $0.key < $1.key }) ?? [] {
            let key = "queue.encryption.keys.\(id)"
            do {
                _ = try source.resolve(environment: environment)
                if case .file(let path) = source {
                    checks.warn(
                        if: isReadableByOthers(path),
                        "\(key).file",
                        "\(path) holds a key and others may read it; chmod 600 \(path)."
                    )
                }
            } catch {
                checks.expect(false, key, found: error.found, expected: error.expected)
            }
        }
        if ingest.auth == .tokens {
            do {
                _ = try TokenFile.load(ingest.tokensFile)
            } catch {
                checks.expect(
                    false,
                    "ingest.tokens_file",
                    found: error.description,
                    expected: "a file of tokens",
                    remedy: "Make one with: forebay token create NAME"
                )
            }
        }
        if let path = read.usersFile {
            do {
                _ = try readUsers(readerPassword: nil)
                checks.warn(
                    if: isReadableByOthers(path),
                    "read.users_file",
                    "\(path) holds passwords or what stands for them, and others may read it; chmod 600 \(path)."
                )
            } catch {
                checks.expect(
                    false,
                    "read.users_file",
                    found: error.found,
                    expected: "lines of a name, a space, and a SCRAM verifier or a password"
                )
            }
        }
        if let path = read.tokensFile {
            do {
                _ = try TokenFile.load(path)
            } catch {
                checks.expect(
                    false,
                    "read.tokens_file",
                    found: error.description,
                    expected: "a file of tokens",
                    remedy: "Make one with: forebay token create NAME --read"
                )
            }
        }
        var readable = [
            ("ingest.tls.certificate", ingest.tls?.certificate), ("ingest.tls.key", ingest.tls?.key),
            ("read.tls.certificate", read.tls?.certificate), ("read.tls.key", read.tls?.key),
        ]
        // libpq reads "system" as the authorities that the machine trusts (PostgreSQL manual, section 34.1.2).
        readable.append(("postgres.sslrootcert", postgres.sslrootcert == "system" ? nil : postgres.sslrootcert))
        for case (let key, let path?) in readable where !path.isEmpty {
            do {
                _ = try SmallFile.read(path)
            } catch {
                checks.expect(false, key, found: "\(path) (\(error.reason))", expected: "a file that can be read")
            }
        }
    }

    private func isReadableByOthers(_ path: String) -> Bool {
        guard let mode = try? SmallFile.mode(path) else { return false }
        return mode & 0o004 != 0
    }
}

extension ForebayConfiguration.Role {
    /// The password: of the environment, else the file's first line; nil if there is neither.
    ///
    /// Reads the file anew each time, so that a changed password is taken up with the next connection. Blocks.
    package func resolvePassword() throws(ConfigurationFault) -> Secret? {
        if let password { return password }
        guard let path = passwordFile else { return nil }
        let bytes: [UInt8]
        do {
            bytes = try SmallFile.read(path)
        } catch {
            guard passwordFileRequired else { return nil }
            throw ConfigurationFault(
                key: "password_file",
                found: "\(path) (\(error.reason))",
                expected: "a file that can be read"
            )
        }
        var line = bytes[...]
        if line.last == UInt8(ascii: "\n") { line.removeLast() }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        guard !line.isEmpty, !line.contains(UInt8(ascii: "\n")), !line.contains(0),
            let text = String(validating: line, as: UTF8.self)
        else {
            throw ConfigurationFault(
                key: "password_file",
                found: "\(path), which is empty, has several lines or is not UTF-8",
                expected: "a file whose only line is the password"
            )
        }
        return Secret(text)
    }
}

extension ForebayConfiguration.Encryption.KeySource {
    /// The 32 bytes of the key. Blocks.
    package func resolve(environment: [String: String]) throws(ConfigurationFault) -> [UInt8] {
        let expected = "256 bits, as 64 hexadecimal digits"
        switch self {
        case .environment(let name):
            guard let text = environment[name] else {
                throw ConfigurationFault(key: "env", found: "no variable \(name)", expected: expected)
            }
            guard let key = hexadecimal(text.utf8) else {
                throw ConfigurationFault(key: "env", found: "something else in \(name)", expected: expected)
            }
            return key
        case .file(let path):
            let bytes: [UInt8]
            do {
                bytes = try SmallFile.read(path)
            } catch {
                throw ConfigurationFault(key: "file", found: "\(path) (\(error.reason))", expected: expected)
            }
            if bytes.count == 32 { return bytes }
            guard let key = hexadecimal(bytes) else {
                throw ConfigurationFault(
                    key: "file",
                    found: "\(path), which holds something else",
                    expected: "\(expected) or 32 bytes"
                )
            }
            return key
        }
    }

    private func hexadecimal(_ text: some Sequence<UInt8>) -> [UInt8]? {
        let digits = text.filter { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        guard digits.count == 64 else { return nil }
        return decodeHexadecimal(digits)
    }
}
