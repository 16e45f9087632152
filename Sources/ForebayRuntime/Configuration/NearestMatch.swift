/// The word out of `words` that `text` was probably meant to be; nil if none is near.
///
/// Near is a distance of a third of the word's length at most, letters' case, `-` and `_` aside.
func nearestMatch(to text: String, among words: [String]) -> String? {
    let plain = { (word: String) in word.lowercased().filter { $0 != "_" && $0 != "-" } }
    let wanted = Array(plain(text).unicodeScalars)
    guard wanted.count <= 64 else { return nil }
    let ranked = words.map { word in
        let candidate = Array(plain(word).unicodeScalars)
        return (word: word, distance: editDistance(wanted, candidate), limit: max(1, candidate.count / 3))
    }
    return ranked.filter { $0.distance <= $0.limit }.min { $0.distance < $1.distance }?.word
}

/// The number of single insertions, deletions, substitutions and swaps of neighbours that lead from one text to the other
/// (optimal string alignment).
private func editDistance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for i in left.indices {
        var current = [i + 1]
        for j in right.indices {
            var best = min(last[j + 1] + 1, current[j] + 1, last[j] + (left[i] == right[j] ? 0 : 1))
            if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                best = min(best, beforeLast[j - 1] + 1)
            }
            current.append(best)
        }
        beforeLast = last
        last = current
    }
    return last[right.count]
}
