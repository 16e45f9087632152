/// The version of the program, as `--version`, `/metrics` and `/v1/status` give it.
package enum ForebayVersion {
    package static let current = "0.1.0"
}
