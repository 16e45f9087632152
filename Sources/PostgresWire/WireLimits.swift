/// The limits that are the protocol's or PostgreSQL's own.
package enum WireLimits {
    /// `MAX_STARTUP_PACKET_LENGTH`, the length included.
    package static let startupBytes = 10_000
    package static let startupParameters = 128
    /// `PG_MAX_AUTH_TOKEN_LENGTH`: of a message before the login is done.
    package static let loginBytes = 65_535
    /// PostgreSQL allocates no more for one message.
    package static let messageBytes = 0x3FFF_FFFF
    package static let cancelKeyBytes = 4...256
}
