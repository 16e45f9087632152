import ArgumentParser
import Glibc
import ProvingGround

/// `kill -9` of the proxy at random moments under agents that resend.
struct ProxyKill: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "kill -9 of the proxy at random moments under load.")

    @OptionGroup var options: DrillOptions

    @Option(help: "How many times the proxy is killed.")
    var rounds = 100

    @Flag(inversion: .prefixedNo, help: "Send with idempotency keys; without them a resend may double.")
    var keys = true

    func run() throws {
        try options.run("proxy-kill (\(rounds) rounds, \(keys ? "with" : "without") keys)", Yard.Plan()) {
            yard,
            pause in
            try yard.startProxy()
            try yard.waitForStreams()
            let fleet = try AgentFleet(yard, options, keys: keys)
            var starts: [Duration] = []
            for round in 1...rounds {
                pause.wait(milliseconds: 100...1500)
                yard.proxy?.crash()
                try yard.startProxy()
                starts.append(try yard.waitForIngest())
                if round % 10 == 0 { say("round \(round) of \(rounds)") }
            }
            print(try fleet.finish())
            try yard.waitForDrain(within: 300)
            print("accepting again after a kill: \(summary(of: starts))")
            return try fleet.count()
        }
    }
}
