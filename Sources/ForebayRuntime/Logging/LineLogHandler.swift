import DurableQueue
import Glibc
package import Logging
import SegmentedLog

/// Writes one line per message to standard error: as text for people, or as a JSON object for collectors.
///
/// A line goes out in a single `write(2)`, so that lines of several threads do not mix.
package struct LineLogHandler: LogHandler {
    package enum Format: Sendable {
        case text
        case json
    }

    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let format: Format

    package init(label: String, level: Logger.Level, format: Format) {
        self.label = label
        self.logLevel = level
        self.format = format
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var fields = metadata
        if let provided = metadataProvider?.get() {
            fields.merge(provided) { $1 }
        }
        if let own = event.metadata {
            fields.merge(own) { $1 }
        }
        let line = Self.line(
            time: Self.now(),
            level: event.level,
            label: label,
            message: event.message.description,
            fields: fields,
            format: format
        )
        var bytes = Array(line.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            guard written > 0 || errno == EINTR else { return }
            bytes = bytes.dropFirst(max(0, written))
        }
    }

    /// The line, its newline included. Fields come in the order of their names.
    static func line(
        time: String,
        level: Logger.Level,
        label: String,
        message: String,
        fields: Logger.Metadata,
        format: Format
    ) -> String {
        let sorted = fields.sorted { $0.key < $1.key }
        switch format {
        case .text:
            let tail = sorted.map { " \($0.key)=\(quotedIfNeeded($0.value.description))" }.joined()
            return "\(time) \(level.rawValue) \(label): \(message)\(tail)\n"
        case .json:
            var parts = [
                "\"time\":\"\(time)\"", "\"level\":\"\(level.rawValue)\"", "\"part\":\(jsonString(label))",
                "\"message\":\(jsonString(message))",
            ]
            parts += sorted.map { "\(jsonString($0.key)):\(jsonString($0.value.description))" }
            return "{\(parts.joined(separator: ","))}\n"
        }
    }

    private static func quotedIfNeeded(_ text: String) -> String {
        let plain = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != 0x7F }
        return plain ? text : jsonString(text)
    }

    /// `text` as a JSON string (RFC 8259, section 7).
    static func jsonString(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    /// UTC with milliseconds, as RFC 3339 has it.
    private static func now() -> String {
        let microseconds = Int(WallTime.now.rawValue)
        var seconds = microseconds / 1_000_000
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date =
            "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))"
        let clock = "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
        return "\(date)T\(clock).\(padded(microseconds / 1000 % 1000, 3))Z"
    }
}

extension ForebayConfiguration {
    package var logLevel: Logger.Level {
        Logger.Level(rawValue: log.level.rawValue) ?? .info
    }

    /// Makes every `Logger` of the process write as configured. Called once, before the first is made.
    package func startLogging() {
        let level = logLevel
        let format: LineLogHandler.Format = log.format == .json ? .json : .text
        LoggingSystem.bootstrap { LineLogHandler(label: $0, level: level, format: format) }
    }
}
