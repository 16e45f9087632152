// What the kernel says of a thread that keeps to one processor. Without privileges, as the load generator runs.
import CScheduling
import DurableQueue
import Glibc
import Synchronization
import Testing

@Suite struct ProcessorTests {
    /// The processors that the calling thread may run on, as the kernel lists them: "0-1", "3".
    private static func allowed() -> Substring {
        let descriptor = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = max(0, read(descriptor, &bytes, bytes.count))
        let text = String(decoding: bytes[..<count], as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }
        return line?.split(separator: "\t").last ?? ""
    }

    private func kept(_ place: UInt32) throws -> Substring {
        let seen = Mutex<Substring>("")
        try OwnedThread(name: "place") {
            #expect(forebay_keep_processor(place) == 0)
            seen.withLock { $0 = Self.allowed() }
        }.join()
        return seen.withLock { $0 }
    }

    @Test func aThreadKeepsOneProcessorAndOthersKeepTheirs() throws {
        let before = Self.allowed()
        let first = try kept(0)
        #expect(Int(first) != nil, "one number, not a range: \(first)")
        #expect(before.split { "-,".contains($0) }.last == first)
        #expect(Self.allowed() == before)
    }

    @Test func placesGoRoundWhenThereAreNoMoreProcessors() throws {
        let count = UInt32(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        var places: Set<Substring> = []
        for place in 0..<count { places.insert(try kept(place)) }
        #expect(!places.isEmpty && places.count <= count)
        #expect(try places.contains(kept(count + 7)))
        if Self.allowed().contains("-") { #expect(places.count > 1) }
    }
}
