import NIOCore

/// Notes whether the connection wants to read: a socket would give it nothing before.
final class ReadGate: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    var isOpen = false

    func read(context: ChannelHandlerContext) {
        isOpen = true
        context.read()
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
