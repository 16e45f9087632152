import Testing

@testable import Instruments

@Suite struct HistogramTests {
    @Test func nothingHasNoQuantile() {
        #expect(Histogram().snapshot.quantile(0.5) == nil)
        #expect(Histogram.Snapshot().count == 0)
    }

    @Test(arguments: [0.5, 0.9, 0.99, 0.999])
    func aQuantileIsOffByLessThanItsBucket(part: Double) throws {
        let histogram = Histogram()
        for value in 1...10_000 { histogram.record(value) }
        let quantile = try #require(histogram.snapshot.quantile(part))
        let exact = part * 10_000
        #expect(quantile > exact / 2 && quantile < exact * 2)
    }

    @Test func theEndsAreTheEnds() throws {
        let histogram = Histogram()
        histogram.record(0)
        histogram.record(100)
        #expect(histogram.snapshot.quantile(0) == 0)
        #expect(histogram.snapshot.quantile(-1) == 0)
        #expect(histogram.snapshot.quantile(1) == 128)
        #expect(histogram.snapshot.quantile(2) == 128)
    }
}

@Suite struct ProcessUsageTests {
    @Test func theKernelsNumbersAreThere() {
        let usage = ProcessUsage.current()
        #expect(usage.residentBytes > 1 << 20)
        #expect(usage.cpuSeconds > 0)
        #expect(usage.openFiles >= 3)
    }
}
