/// A version as semver.org has it, read as leniently as tags are written: `v1.2`, `1`, `1.02.3`.
struct SemanticVersion: Comparable {
    var major: UInt64 = 0
    var minor: UInt64 = 0
    var patch: UInt64 = 0
    /// What makes it a pre-release, as `rc.1`; empty for a release.
    var preRelease = ""

    var isPreRelease: Bool { !preRelease.isEmpty }

    init(_ major: UInt64 = 0, _ minor: UInt64 = 0, _ patch: UInt64 = 0, _ preRelease: String = "") {
        (self.major, self.minor, self.patch, self.preRelease) = (major, minor, patch, preRelease)
    }

    /// `nil` for what is no version.
    init?(_ text: some StringProtocol) {
        guard let pattern = VersionPattern(text), let version = pattern.version, pattern.precision == .patch else {
            return nil
        }
        self = version
    }

    static func == (left: Self, right: Self) -> Bool { !(left < right) && !(right < left) }

    static func < (left: Self, right: Self) -> Bool {
        let (numbers, others) = ((left.major, left.minor, left.patch), (right.major, right.minor, right.patch))
        if numbers != others { return numbers < others }
        // A release comes after what led to it.
        guard left.isPreRelease, right.isPreRelease else { return left.isPreRelease && !right.isPreRelease }
        let (parts, otherParts) = (left.preRelease.split(separator: "."), right.preRelease.split(separator: "."))
        for (part, other) in zip(parts, otherParts) where part != other {
            switch (UInt64(part), UInt64(other)) {
            case (let number?, let otherNumber?): if number != otherNumber { return number < otherNumber }
            case (.some, nil): return true
            case (nil, .some): return false
            case (nil, nil): return Array(part.utf8).lexicographicallyPrecedes(Array(other.utf8))
            }
        }
        return parts.count < otherParts.count
    }
}

/// A version of which the end may be open, as `1.2`, `1.x` and `*` in constraints.
struct VersionPattern {
    /// The last number that counts.
    enum Precision: Int { case none, major, minor, patch }

    /// With zeros for what is open; `nil` where a number is none, or too large.
    let version: SemanticVersion?
    /// Of a tag, where a number that is missing is 0, always `patch`.
    let precision: Precision

    /// A whole text, as a tag: all that is missing is 0, and nothing may be open.
    init?(_ text: some StringProtocol) {
        var scanner = VersionScanner(text.utf8)
        guard let parts = scanner.version(), scanner.isAtEnd else { return nil }
        version = parts.numbers.contains(where: \.isOpen) ? nil : parts.version(parts.numbers.count)
        precision = .patch
    }

    init(_ parts: VersionScanner.Version) {
        let open = parts.numbers.firstIndex(where: \.isOpen) ?? parts.numbers.count
        precision = Precision(rawValue: open) ?? .patch
        version = parts.version(open)
    }
}

/// Reads constraints and versions from the front of a text.
struct VersionScanner {
    struct Number {
        let text: Substring
        /// Whether anything may stand there.
        var isOpen: Bool { ["x", "X", "*"].contains(text) }
    }

    struct Version {
        var numbers: [Number]
        var preRelease: String

        /// With zeros for all numbers but the first ones.
        func version(_ count: Int) -> SemanticVersion? {
            var values: [UInt64] = []
            for number in numbers.prefix(count) {
                guard number.text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = UInt64(number.text)
                else { return nil }
                values.append(value)
            }
            while values.count < 3 { values.append(0) }
            // Its numbers must not begin with zeros.
            for part in preRelease.split(separator: ".")
            where part.utf8.count > 1 && part.hasPrefix("0") && part.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
                return nil
            }
            return SemanticVersion(values[0], values[1], values[2], preRelease)
        }
    }

    private var rest: ArraySlice<UInt8>

    init(_ text: some Sequence<UInt8>) { rest = Array(text)[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func take(_ text: String) -> Bool {
        guard rest.starts(with: text.utf8) else { return false }
        rest = rest.dropFirst(text.utf8.count)
        return true
    }

    /// - Returns: whether there were any.
    @discardableResult
    mutating func takeBlanks() -> Bool { !run { " \t\n\r\u{C}".utf8.contains($0) }.isEmpty }

    private mutating func run(_ isPart: (UInt8) -> Bool) -> Substring {
        let taken = rest.prefix(while: isPart)
        rest = rest.dropFirst(taken.count)
        return Substring(decoding: taken, as: UTF8.self)
    }

    /// Identifiers between dots, after a sign.
    private mutating func identifiers(after sign: String) -> String? {
        let start = rest
        guard take(sign) else { return "" }
        var parts: [Substring] = []
        repeat {
            let part = run { Self.isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
            guard !part.isEmpty else {
                rest = start
                return parts.isEmpty ? "" : nil
            }
            parts.append(part)
        } while take(".")
        return parts.joined(separator: ".")
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: false
        }
    }

    mutating func version() -> Version? {
        let start = rest
        _ = take("v")
        var numbers: [Number] = []
        var end = rest
        repeat {
            let text = run { (0x30...0x39).contains($0) || "xX*".utf8.contains($0) }
            guard !text.isEmpty else { break }
            numbers.append(Number(text: text))
            end = rest
        } while numbers.count < 3 && take(".")
        rest = end
        guard !numbers.isEmpty, let preRelease = identifiers(after: "-"), identifiers(after: "+") != nil else {
            rest = start
            return nil
        }
        return Version(numbers: numbers, preRelease: preRelease)
    }
}
