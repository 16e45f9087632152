package import Records

/// Decodes bodies of JSON events into rows, in one pass.
///
/// Owner: one event loop or thread at a time. It learns the order in which agents give their fields, and keeps scratch memory, so
/// one is kept per stream and owner, and made anew when the stream's plan changes.
package final class EventDecoder {
    package let plan: DecodePlan
    private var rows: RowDecoder

    package init(plan: DecodePlan, limits: DecodeLimits = DecodeLimits()) {
        self.plan = plan
        rows = RowDecoder(plan: plan, limits: limits)
    }

    /// Appends the rows of the events in `body` to `batch`, whose open row must be empty and which must have been made with
    /// this decoder's plan as its layouts.
    ///
    /// With `.refuseAll` and a fault the batch is left as it was.
    package func decode(
        _ body: UnsafeRawBufferPointer,
        format: BodyFormat = .detect,
        onError: OnError = .refuseAll,
        into batch: RowBatch
    ) -> DecodeReport {
        rows.decode(body, format: format, onError: onError, plan: plan, into: batch)
    }

    package func decode(
        _ body: [UInt8],
        format: BodyFormat = .detect,
        onError: OnError = .refuseAll,
        into batch: RowBatch
    ) -> DecodeReport {
        body.withUnsafeBytes { decode($0, format: format, onError: onError, into: batch) }
    }
}
