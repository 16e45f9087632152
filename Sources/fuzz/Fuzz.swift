import FuzzTargets
import Glibc

/// libFuzzer around one target, which the name of the program says: `fuzz-json` runs `json`. `make fuzz` makes the names.
@main
enum Fuzz {
    static func main() {
        let program = CommandLine.arguments[0].split(separator: "/").last ?? ""
        guard program.hasPrefix("fuzz-"), let target = FuzzTarget(rawValue: String(program.dropFirst(5))) else {
            print("Targets, for make fuzz TARGET=…:")
            for target in FuzzTarget.allCases {
                print("  \(target.rawValue.padded(to: 10))\(target.summary)")
            }
            exit(2)
        }
        fuzzed = target
        var arguments = CommandLine.arguments
        if !arguments.contains(where: { $0.hasPrefix("-max_len=") }) {
            arguments.append("-max_len=\(target.longestInput)")
        }
        // libFuzzer keeps pointers into the arguments until the process ends.
        let pointers = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: arguments.count + 1)
        for (index, argument) in arguments.enumerated() { pointers[index] = strdup(argument) }
        pointers[arguments.count] = nil
        var count = CInt(arguments.count)
        var vector: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> = pointers
        exit(runFuzzer(&count, &vector) { data, size in runOne(UnsafeRawBufferPointer(start: data, count: size)) })
    }
}

/// Set once, before libFuzzer's first call; a C callback can't carry it.
nonisolated(unsafe) private var fuzzed = FuzzTarget.json

private func runOne(_ input: UnsafeRawBufferPointer) -> CInt {
    do throws(Finding) {
        try fuzzed.run(input)
    } catch {
        fatalError("finding: \(error)")
    }
    return 0
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(1, width - count))
    }
}
