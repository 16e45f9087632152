import NIOCore
import NIOEmbedded

/// Notes whether the connection wants to read, since a socket would give it nothing before, and takes answers as a socket does: one that was full may
/// take all of them within the connection's own flush.
final class ReadGate: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    var isOpen = false
    var takesAllInFlush = false

    func read(context: ChannelHandlerContext) {
        isOpen = true
        context.read()
    }

    func flush(context: ChannelHandlerContext) {
        context.flush()
        guard takesAllInFlush, let channel = context.channel as? EmbeddedChannel, !channel.isWritable else { return }
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
    }

    /// An embedded channel has no sides that could be closed apart.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .all else {
            promise?.succeed(())
            return
        }
        context.close(mode: mode, promise: promise)
    }
}
