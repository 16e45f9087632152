import Glibc
import Testing

@testable import ForebayRuntime

@Suite struct OpenFilesTests {
    @Test func connectionsLeaveFilesForTheQueue() throws {
        var configuration = ForebayConfiguration()
        let (ingest, read) = (configuration.ingest.maxConnections, configuration.read.maxConnections)
        let silence = configuration.fit(openFiles: 20_000)
        #expect(silence == nil)
        #expect(configuration.ingest.maxConnections == ingest && configuration.read.maxConnections == read)

        let told = configuration.fit(openFiles: 1024)
        let warning = try #require(told)
        #expect(warning.contains("1024") && warning.contains("ingest.max_connections"))
        let clients = configuration.ingest.maxConnections + configuration.read.maxConnections
        let nodes = configuration.read.poolSize * configuration.nodeAddresses.count
        #expect(clients > 500 && clients + nodes + 256 <= 1024)
        // As the warning says, there is no need any more then.
        let more = configuration.fit(openFiles: 1024)
        #expect(more == nil)

        var poor = ForebayConfiguration()
        let complaint = poor.fit(openFiles: 16)
        #expect(complaint != nil)
        #expect(poor.ingest.maxConnections == 1 && poor.read.maxConnections == 1)
    }

    @Test func theLimitIsRaisedAsFarAsItGoes() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #expect(getrlimit(resource, &limit) == 0)
        var low = limit
        // Other tests open files meanwhile.
        low.rlim_cur = limit.rlim_max / 2
        #expect(setrlimit(resource, &low) == 0)
        #expect(OpenFiles.raiseLimit() == Int(clamping: limit.rlim_max))
        #expect(getrlimit(resource, &low) == 0 && low.rlim_cur == limit.rlim_max)
    }
}
