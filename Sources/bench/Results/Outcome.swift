/// What the rounds of a scenario came to, as it is stored.
struct Outcome: Codable {
    struct Side: Codable {
        var name: String
        var note: String
        var rounds: [Sample] = []
    }

    struct Verdict: Codable {
        var text: String
        var isMet: Bool
    }

    var name: String
    var title = ""
    var method = ""
    var measures: [Measure]
    var charts: [Measure] = []
    var machine: [String] = []
    var command = ""
    var contenders: [Side]
    var verdicts: [Verdict] = []

    init(name: String, measures: [Measure], contenders: [Side]) {
        self.name = name
        self.measures = measures
        self.contenders = contenders
    }

    init(_ scenario: any Scenario, _ playing: [any Contender], machine: [String]) {
        let type = type(of: scenario)
        self.init(
            name: type.name,
            measures: type.measures,
            contenders: playing.map { Side(name: $0.name, note: $0.note) }
        )
        title = type.title
        method = type.method
        charts = type.charts
        self.machine = machine
    }

    var rounds: Int { contenders.first?.rounds.count ?? 0 }

    func spread(_ side: Side, _ measure: Measure) -> Spread? {
        Spread(side.rounds.compactMap { $0[measure.key] })
    }

    /// Holds the figures against the goals; those of which a side did not take part are passed over.
    mutating func judge(_ goals: [Goal]) {
        for goal in goals {
            guard let side = contenders.first(where: { $0.name == goal.contender }) else { continue }
            switch goal.rule {
            case .atMost(let limit):
                guard let spread = spread(side, goal.measure) else { continue }
                judge(goal.measure, of: side, "at most", limit, spread, isMet: spread.median <= limit)
            case .atLeast(let limit):
                guard let spread = spread(side, goal.measure) else { continue }
                judge(goal.measure, of: side, "at least", limit, spread, isMet: spread.median >= limit)
            case .ratio(let other, let limit):
                guard let rival = contenders.first(where: { $0.name == other }) else { continue }
                // Round by round, since neighbours in time met the same machine.
                let ratios = zip(side.rounds, rival.rounds).compactMap { mine, theirs -> Double? in
                    guard let mine = mine[goal.measure.key], let theirs = theirs[goal.measure.key], theirs > 0 else {
                        return nil
                    }
                    return mine / theirs
                }
                guard let spread = Spread(ratios) else { continue }
                let ratio = Measure(key: "ratio", title: "", unit: "", decimals: 2)
                verdicts.append(
                    Verdict(
                        text: "\(goal.contender) to \(other): \(goal.measure.title) at least \(ratio.text(limit)): "
                            + ratio.text(spread),
                        isMet: spread.median >= limit
                    )
                )
            }
        }
    }

    private mutating func judge(
        _ measure: Measure,
        of side: Side,
        _ relation: String,
        _ limit: Double,
        _ spread: Spread,
        isMet: Bool
    ) {
        let text = "\(side.name): \(measure.title) \(relation) \(measure.text(limit)): \(measure.text(spread))"
        verdicts.append(Verdict(text: text, isMet: isMet))
    }
}
