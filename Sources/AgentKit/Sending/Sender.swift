/// `forebay send`: lines from files or pipes, in batches, each carried until it is acknowledged.
///
/// In memory at any time are the batches under way, one more that waits for its turn, and one that is being gathered; while
/// these wait, nothing is read.
package struct Sender: Sendable {
    package struct Settings: Sendable {
        package var limits: LineBatcher.Limits
        /// Requests under way at once; with more than one, order between requests is not kept.
        package var parallel: Int
        /// Keys are `<prefix>-<input>-<first line>`, so the prefix must be unique to the run, or to the input where a repeated
        /// run shall be taken for a repetition.
        package var keyPrefix: String

        package init(limits: LineBatcher.Limits, parallel: Int, keyPrefix: String) {
            self.limits = limits
            self.parallel = parallel
            self.keyPrefix = keyPrefix
        }
    }

    package var settings: Settings
    package var courier: Courier
    package var stop: StopSignal

    package init(settings: Settings, courier: Courier, stop: StopSignal) {
        self.settings = settings
        self.courier = courier
        self.stop = stop
    }

    /// Reads the inputs one after another to their ends, or until the stop signal, and returns when everything that was read has
    /// been acknowledged, refused or given up. The counts are in the courier's tally.
    package func run(_ inputs: [InputReader]) async {
        await withTaskGroup(of: Courier.End.self) { group in
            var sender = self
            var lane = Lane(free: settings.parallel)
            for (number, input) in inputs.enumerated() where !stop.isRaised {
                sender.courier.source = inputs.count > 1 ? input.name : nil
                await sender.forward(input, number: number, over: &lane, in: &group)
            }
            for await _ in group {}
        }
    }

    private struct Lane {
        var free: Int
    }

    private func forward(
        _ input: InputReader,
        number: Int,
        over lane: inout Lane,
        in group: inout TaskGroup<Courier.End>
    ) async {
        let clock = ContinuousClock()
        let start = clock.now
        var limits = settings.limits
        if input.isRegularFile {
            limits.linger = nil
        }
        var batcher = LineBatcher(limits: limits)
        var isOpen = true
        var lines = 0
        while true {
            while let batch = batcher.nextBatch(at: clock.now - start) {
                await submit(batch, of: number, over: &lane, in: &group)
            }
            guard isOpen else { return }
            let timeout = batcher.due.map { $0 - (clock.now - start) }
            switch await input.read(until: timeout) {
            case .read:
                batcher.take(input.bytes, at: clock.now - start)
            case .end:
                batcher.end(at: clock.now - start)
                isOpen = false
            case .due:
                break
            case .stopped:
                // An unfinished line is not sent: half an event is none.
                batcher.stop()
                isOpen = false
            case .failed(let code):
                let fault = InputFault(name: input.name, code: code)
                courier.tally.change { $0.stopped = $0.stopped ?? fault.description }
                batcher.end(at: clock.now - start)
                isOpen = false
            }
            for line in batcher.tooLong {
                courier.report(line, "longer than \(limits.lineBytes) bytes")
            }
            let refused = batcher.tooLong.count
            batcher.tooLong.removeAll()
            let seen = batcher.lineCount - lines
            lines = batcher.lineCount
            courier.tally.change {
                $0.refused += refused
                $0.lines += seen
            }
        }
    }

    /// Waits for a free place, then sets the batch on its way.
    private func submit(
        _ batch: LineBatch,
        of input: Int,
        over lane: inout Lane,
        in group: inout TaskGroup<Courier.End>
    ) async {
        if lane.free == 0 {
            _ = await group.next()
            lane.free += 1
        }
        if courier.tally.snapshot.stopped != nil {
            courier.tally.change { $0.unacknowledged += batch.count }
            return
        }
        lane.free -= 1
        let key = "\(settings.keyPrefix)-\(input)-\(batch.lineNumbers[0])"
        group.addTask {
            let end = await courier.deliver(batch, key: key)
            if end == .stopped {
                stop.raise()
            }
            return end
        }
    }
}
