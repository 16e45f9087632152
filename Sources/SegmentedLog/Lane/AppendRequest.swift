package import Records

/// A batch of rows on its way to a lane, with the one who waits for it.
package struct AppendRequest: Sendable {
    package var batch: RowBatch
    package var keyed: KeyedRequest?
    package var sink: any AppendSink
    package var token: UInt64

    package init(batch: RowBatch, keyed: KeyedRequest?, sink: any AppendSink, token: UInt64) {
        self.batch = batch
        self.keyed = keyed
        self.sink = sink
        self.token = token
    }
}
