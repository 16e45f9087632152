import Glibc
package import NIOCore

/// What the last handler of a channel sends: straight to the socket where that can be done, through the pipeline where it can't.
///
/// A write through the pipeline passes every handler, a list of pending writes and a flush, which is most of what a small answer costs outside of the kernel. All of
/// that is for bytes that the socket does not take at once, or that another handler has to see; so what a turn has to say goes to `send(2)`, small
/// buffers put together, and whatever that leaves, like large buffers behind others, and everything over TLS, goes through the channel. Bytes keep their order: nothing is sent straight while the channel
/// still has some.
///
/// A class, because writing and flushing may come back to the handler before they return: a channel that takes everything tells at once that it can be
/// written to again, and the handler then has more to say.
///
/// Owner: the handler, on the channel's event loop.
package final class DirectWriter {
    private var channel: (any Channel)?
    /// Of the channel's socket; -1 if there is none that may be written to past the pipeline.
    private var descriptor: CInt = -1
    private var staged = ByteBuffer()
    private var needsFlush = false
    /// The channel may still hold bytes that were left to it.
    private var isBehind = false

    /// Buffers of a turn that are no more than this together are copied behind each other: a write through the pipeline costs more.
    private static let gatheredBytes = 16 << 10

    package init() {}

    /// To be called when the handler was added, with no other handler between it and the socket.
    package func attach(_ context: ChannelHandlerContext) {
        channel = context.channel
        // Throws on a channel that is closed already, to which nothing is written anyhow.
        let handle = try? context.channel.pipeline.syncOperations.withUnsafeTransportIfAvailable {
            (handle: NIOBSDSocket.Handle) in handle
        }
        descriptor = handle ?? -1
    }

    /// From now on another handler sees what goes out.
    package func takeThePipeline() {
        descriptor = -1
    }

    /// To be called when the handler was removed.
    package func detach() {
        channel = nil
        descriptor = -1
        staged = ByteBuffer()
        needsFlush = false
        isBehind = false
    }

    package func write(_ buffer: ByteBuffer, to context: ChannelHandlerContext) {
        guard buffer.readableBytes > 0 else { return }
        if descriptor >= 0, !needsFlush {
            needsFlush = true
            staged = buffer
            return
        }
        if staged.readableBytes > 0, staged.readableBytes + buffer.readableBytes <= Self.gatheredBytes {
            staged.writeImmutableBuffer(buffer)
            return
        }
        pass(to: context)
        context.write(NIOAny(buffer), promise: nil)
        needsFlush = true
    }

    package func flush(_ context: ChannelHandlerContext) {
        guard needsFlush else { return }
        needsFlush = false
        guard staged.readableBytes > 0 else { return context.flush() }
        // A descriptor belongs to somebody else as soon as its channel is closed, which also ends `isActive`.
        if let channel, channel.isActive, !isHeldUp(channel) {
            let count = staged.withUnsafeReadableBytes { bytes in
                send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_DONTWAIT | MSG_NOSIGNAL))
            }
            if count == staged.readableBytes {
                staged = ByteBuffer()
                return
            }
            // What went wrong, if anything did, the channel meets as well, and tells of it in its own way.
            if count > 0 { staged.moveReaderIndex(forwardBy: count) }
        }
        pass(to: context)
        context.flush()
    }

    private func pass(to context: ChannelHandlerContext) {
        guard staged.readableBytes > 0 else { return }
        isBehind = true
        let passed = staged
        staged = ByteBuffer()
        context.write(NIOAny(passed), promise: nil)
    }

    /// Bytes that were left to the channel are still there.
    private func isHeldUp(_ channel: any Channel) -> Bool {
        guard isBehind else { return false }
        // Fails only on a channel that does not know the option, or is closed: then the pipeline it is.
        isBehind = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) != 0
        return isBehind
    }
}
