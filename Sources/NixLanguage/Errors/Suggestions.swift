/// "Did you mean": names that are close to one that is not there.
enum Suggestions {
    /// How many letters must be added, taken away or changed to make `left` into `right` (Levenshtein).
    static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left.utf8), Array(right.utf8))
        var previous = Array(0...right.count)
        for (row, character) in left.enumerated() {
            var current = [row + 1]
            current.reserveCapacity(right.count + 1)
            for (column, other) in right.enumerated() {
                current.append(
                    min(previous[column + 1] + 1, current[column] + 1, previous[column] + (character == other ? 0 : 1)))
            }
            previous = current
        }
        return previous[right.count]
    }

    /// The names within two changes of `name`, the closest first, at most five.
    static func best(for name: String, among candidates: [String]) -> [String] {
        let close = candidates.compactMap { candidate -> (Int, String)? in
            guard abs(candidate.utf8.count - name.utf8.count) <= 2 else { return nil }
            let distance = distance(candidate, name)
            return distance <= 2 ? (distance, candidate) : nil
        }
        return close.sorted { $0 < $1 }.prefix(5).map(\.1)
    }
}
