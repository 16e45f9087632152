import Foundation
import Glibc

/// A contender's configuration with places to fill in, each a name between @ signs.
enum Template {
    static func fill(_ template: String, _ values: [String: String], to path: String) throws {
        let text = try values.reduce(String(contentsOfFile: template, encoding: .utf8)) { text, value in
            text.replacingOccurrences(of: "@\(value.key)@", with: value.value)
        }
        try Data(text.utf8).write(to: URL(filePath: path))
        chmod(path, 0o600)
    }
}
