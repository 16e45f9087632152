import Glibc

/// Writes a line to standard error, whole.
func printError(_ line: String) {
    let bytes = Array("\(line)\n".utf8)
    var written = 0
    while written < bytes.count {
        let count = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress! + written, bytes.count - written) }
        if count < 0, errno != EINTR { return }
        written += max(0, count)
    }
}
