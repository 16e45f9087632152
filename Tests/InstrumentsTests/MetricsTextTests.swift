import Testing

@testable import Instruments

// Each family is compared with its exact text, which is then read back by a small parser of the exposition format.

@Suite struct MetricsTextTests {
    @Test func aCounterWithoutLabels() throws {
        var text = MetricsText(prefix: "forebay_")
        text.single("repeats_total", .counter, "Requests answered as a repeat.", .whole(3))
        #expect(
            text.text == """
                # HELP forebay_repeats_total Requests answered as a repeat.
                # TYPE forebay_repeats_total counter
                forebay_repeats_total 3

                """
        )
        #expect(try Exposition(text.text).samples == ["forebay_repeats_total": 3])
    }

    @Test func aGaugeWithLabels() throws {
        var text = MetricsText()
        text.family(
            "durable_offset",
            .gauge,
            "On disk.",
            [(["queue": "q", "lane": "0"], .unsigned(.max)), (["queue": "q", "lane": "1"], .fraction(0.5))]
        )
        #expect(
            text.text == """
                # HELP durable_offset On disk.
                # TYPE durable_offset gauge
                durable_offset{queue="q",lane="0"} 18446744073709551615
                durable_offset{queue="q",lane="1"} 0.5

                """
        )
        _ = try Exposition(text.text)
    }

    @Test func aFamilyWithoutSamplesIsLeftOut() {
        var text = MetricsText()
        text.family("refused", .counter, "Refused.", [])
        #expect(text.text.isEmpty)
    }

    @Test func labelsAndHelpAreEscaped() throws {
        var text = MetricsText()
        text.family(
            "a",
            .gauge,
            "back\\slash, \"quote\"\nline",
            [(["reason": "back\\slash, \"quote\"\nline"], .whole(1))]
        )
        #expect(
            text.text == #"""
                # HELP a back\\slash, "quote"\nline
                # TYPE a gauge
                a{reason="back\\slash, \"quote\"\nline"} 1

                """#
        )
        #expect(try Exposition(text.text).labels == [["reason": "back\\slash, \"quote\"\nline"]])
    }

    @Test func aHistogramOfTimesIsCumulativeAndInSeconds() throws {
        let histogram = Histogram()
        for value in [0, 1, 3, 3, 5, 2_000_000] { histogram.record(value) }
        var text = MetricsText()
        text.histogram("sync_seconds", "Sync.", histogram.snapshot, scale: .microseconds, buckets: 1...3)
        #expect(
            text.text == """
                # HELP sync_seconds Sync.
                # TYPE sync_seconds histogram
                sync_seconds_bucket{le="2e-06"} 2
                sync_seconds_bucket{le="4e-06"} 4
                sync_seconds_bucket{le="8e-06"} 5
                sync_seconds_bucket{le="+Inf"} 6
                sync_seconds_sum 2.000012
                sync_seconds_count 6

                """
        )
        _ = try Exposition(text.text)
    }

    @Test func aHistogramOfNumbersHasExactInclusiveBounds() throws {
        let histogram = Histogram()
        for value in [1, 2, 3, 4, 7, 8] { histogram.record(value) }
        var text = MetricsText()
        text.histogram("events", "Events.", histogram.snapshot, scale: .units, buckets: 1...3)
        #expect(
            text.text == """
                # HELP events Events.
                # TYPE events histogram
                events_bucket{le="1"} 1
                events_bucket{le="3"} 3
                events_bucket{le="7"} 5
                events_bucket{le="+Inf"} 6
                events_sum 25
                events_count 6

                """
        )
        _ = try Exposition(text.text)
    }

    @Test func theLastBucketIsInfinityAlone() throws {
        let histogram = Histogram()
        histogram.record(.max / 2)
        histogram.record(-1)
        var text = MetricsText()
        text.histogram("h", "H.", histogram.snapshot, scale: .units, buckets: 38...45)
        let samples = try Exposition(text.text).samples
        #expect(samples == ["h_bucket": 2, "h_sum": Double(Int.max / 2), "h_count": 2])
        #expect(text.text.contains("h_bucket{le=\"274877906943\"} 1\nh_bucket{le=\"+Inf\"} 2\n"))
    }

    @Test func numbersAreWrittenAsPrometheusReadsThem() {
        #expect(MetricsText.format(.infinity) == "+Inf")
        #expect(MetricsText.format(-.infinity) == "-Inf")
        #expect(MetricsText.format(.nan) == "NaN")
        #expect(MetricsText.format(0.25) == "0.25")
        #expect(MetricsText.format(-3) == "-3")
        #expect(MetricsText.format(1e300) == "1e+300")
    }

    /// The check itself can fail.
    @Test(arguments: [
        "a 1\n", "# TYPE a gauge\n# HELP a A.\na 1\n", "# HELP a A.\n# TYPE a gauge\nb 1\n",
        "# HELP a A.\n# TYPE a gauge\na x\n",
        "# HELP a A.\n# TYPE a gauge\na{b=c} 1\n", "# HELP a A.\n# TYPE a gauge\na 1",
        "# HELP a A.\n# TYPE a gauge\na{b=\"\\t\"} 1\n",
        "# HELP a A.\n# TYPE a gauge\na{b=\"1\"} 1\na{b=\"1\"} 2\n",
        "# HELP a A.\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
        "# HELP a A.\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 2\na_sum 1\na_count 1\n",
    ])
    func theFormatCheckRefuses(_ text: String) {
        #expect(throws: Exposition.Fault.self) { try Exposition(text) }
    }
}
