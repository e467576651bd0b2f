/// Which versions are wanted, in the notation of Masterminds/semver: `^1.2`, `>=1.0 <2.0 || 3.x`, `1.2 - 1.4`.
///
/// Alternatives stand between `||`; in each, conditions stand between blanks or commas and must all hold. A pre-release is
/// wanted only where one of them names a pre-release.
struct VersionConstraint {
    fileprivate enum Relation: String, CaseIterable {
        // The longer ones first, because of which they begin with.
        case notEqual = "!="
        case atLeast = ">="
        case atLeastReversed = "=>"
        case atMost = "<="
        case atMostReversed = "=<"
        case tildeAbove = "~>"
        case tilde = "~"
        case caret = "^"
        case equal = "="
        case above = ">"
        case below = "<"
        case none = ""
    }

    fileprivate struct Condition {
        let relation: Relation
        let base: SemanticVersion
        let precision: VersionPattern.Precision
    }

    private let alternatives: [[Condition]]

    /// `nil` for what is no constraint.
    init?(_ text: String) {
        var alternatives: [[Condition]] = []
        for part in text.split(separator: "||", omittingEmptySubsequences: false) {
            guard let conditions = Self.conditions(part) else { return nil }
            alternatives.append(conditions)
        }
        self.alternatives = alternatives
    }

    private static func conditions(_ text: Substring) -> [Condition]? {
        var scanner = VersionScanner(text.utf8)
        var conditions: [Condition] = []
        scanner.takeBlanks()
        repeat {
            let relation = Relation.allCases.first { scanner.take($0.rawValue) } ?? .none
            scanner.takeBlanks()
            guard let parts = scanner.version() else { return nil }
            var isSeparate = scanner.takeBlanks()
            if isSeparate, scanner.take("-") {
                // From one version to another, both included.
                guard relation == .none, scanner.takeBlanks(), let end = scanner.version(),
                    let from = condition(.atLeast, parts), let to = condition(.atMost, end)
                else { return nil }
                conditions += [from, to]
                scanner.takeBlanks()
                isSeparate = true
            } else {
                guard let condition = condition(relation, parts) else { return nil }
                conditions.append(condition)
            }
            if scanner.isAtEnd { return conditions }
            if scanner.take(",") {
                scanner.takeBlanks()
                isSeparate = true
            }
            guard isSeparate else { return nil }
        } while true
    }

    private static func condition(_ relation: Relation, _ parts: VersionScanner.Version) -> Condition? {
        let pattern = VersionPattern(parts)
        return pattern.version.map { Condition(relation: relation, base: $0, precision: pattern.precision) }
    }

    func includes(_ version: SemanticVersion) -> Bool {
        alternatives.contains { conditions in
            (!version.isPreRelease || conditions.contains { $0.base.isPreRelease })
                && conditions.allSatisfy { $0.includes(version) }
        }
    }
}

extension VersionConstraint.Condition {
    private var isWhole: Bool { precision == .patch }

    fileprivate func includes(_ version: SemanticVersion) -> Bool {
        switch relation {
        case .none, .equal: isWhole ? version == base : isNear(version)
        case .notEqual: differs(version)
        case .above: isAbove(version)
        case .below: version < base
        case .atLeast, .atLeastReversed: version >= base
        case .atMost, .atMostReversed: isAtMost(version)
        case .tilde, .tildeAbove: isNear(version)
        case .caret: isCompatible(version)
        }
    }

    private func differs(_ version: SemanticVersion) -> Bool {
        switch precision {
        case .none, .patch: version != base
        case .major: version.major != base.major
        case .minor:
            version.major != base.major || version.minor != base.minor
                || (version.isPreRelease || base.isPreRelease) && version.preRelease != base.preRelease
        }
    }

    /// Beyond all versions that an open base stands for.
    private func isAbove(_ version: SemanticVersion) -> Bool {
        switch precision {
        case .none, .patch: version > base
        case .major: version.major > base.major
        case .minor: (version.major, version.minor) > (base.major, base.minor)
        }
    }

    private func isAtMost(_ version: SemanticVersion) -> Bool {
        switch precision {
        case .patch: version <= base
        case .major: version.major <= base.major
        case .minor, .none: (version.major, version.minor) <= (base.major, base.minor)
        }
    }

    /// `~`: the last number but one stays.
    private func isNear(_ version: SemanticVersion) -> Bool {
        guard version >= base else { return false }
        if (base.major, base.minor, base.patch) == (0, 0, 0), precision == .none || precision == .patch { return true }
        return version.major == base.major && (precision == .major || version.minor == base.minor)
    }

    /// `^`: the first number that is not 0 stays.
    private func isCompatible(_ version: SemanticVersion) -> Bool {
        guard version >= base else { return false }
        if base.major > 0 || precision == .major { return version.major == base.major }
        guard version.major == 0 else { return false }
        if base.minor > 0 || precision == .minor { return version.minor == base.minor }
        return version.minor == 0 && version.patch == base.patch
    }
}
