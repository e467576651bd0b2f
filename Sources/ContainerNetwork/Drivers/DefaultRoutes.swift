/// Which of a container's networks has its default route.
public enum DefaultRoutes {
    public struct Candidate: Sendable {
        public var networkName: String
        /// `--gw-priority`; the highest wins.
        public var priority: Int
        /// For which families it has a gateway (and is not internal).
        public var families: Set<IPFamily>
        public init(networkName: String, priority: Int = 0, families: Set<IPFamily>) {
            self.networkName = networkName
            self.priority = priority
            self.families = families
        }
    }

    /// The index of the candidate for a family: of the highest priority; of equals one with both families, then the
    /// first by the network's name, as dockerd chooses.
    public static func choose(_ family: IPFamily, among candidates: [Candidate]) -> Int? {
        candidates.indices.filter { candidates[$0].families.contains(family) }.min { left, right in
            let (a, b) = (candidates[left], candidates[right])
            if a.priority != b.priority { return a.priority > b.priority }
            if a.families.count != b.families.count { return a.families.count > b.families.count }
            return a.networkName < b.networkName
        }
    }
}
