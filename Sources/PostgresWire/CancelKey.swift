/// What names a session towards the server when one of its statements is to be cancelled.
package struct CancelKey: Hashable, Sendable {
    package var process: Int32
    /// 4 bytes in protocol 3.0, up to 256 in 3.2.
    package var secret: [UInt8]

    package init(process: Int32, secret: [UInt8]) {
        self.process = process
        self.secret = secret
    }
}
