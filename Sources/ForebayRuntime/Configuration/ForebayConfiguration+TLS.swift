extension ForebayConfiguration {
    /// The section `tls` of listeners.
    package struct TLS: Hashable, Sendable {
        /// PEM file of the certificate, followed by its chain.
        package var certificate: String
        /// PEM file of the private key.
        package var key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }
}
