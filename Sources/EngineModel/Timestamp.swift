import OCI

/// A moment, to the nanosecond; written as Go writes its times. `zero` is Docker's "never".
public typealias Timestamp = OCI.DateTime

extension Timestamp {
    /// A moment in nanoseconds since 1970.
    public init(nanosecondsSince1970 count: Int64) {
        var seconds = count / 1_000_000_000
        var rest = count % 1_000_000_000
        if rest < 0 {
            seconds -= 1
            rest += 1_000_000_000
        }
        self.init(seconds: seconds, nanoseconds: rest)
    }

    public var isZero: Bool { self == .zero }

    /// Nanoseconds since 1970, as near as 64 bits allow.
    public var nanosecondsSince1970: Int64 {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        return product.addingReportingOverflow(nanoseconds).partialValue
    }

    /// Seconds from `other` to this moment.
    public func timeInterval(since other: Timestamp) -> Double {
        // A difference of integers could overflow: clients may ask for any moment.
        Double(seconds) - Double(other.seconds) + Double(nanoseconds - other.nanoseconds) / 1e9
    }

    /// With nine digits of a fraction, as in `docker logs --timestamps`.
    public var fixedWidthDescription: String {
        let whole = Timestamp(seconds: seconds).description.dropLast()
        let digits = String(nanoseconds)
        return whole + "." + String(repeating: "0", count: max(0, 9 - digits.count)) + digits + "Z"
    }

    /// What the `since` and `until` parameters of the API hold: seconds since 1970 with an optional fraction, or
    /// RFC 3339; or `nil` when `text` is neither.
    public init?(parameter text: String) {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        if let first = parts.first, let seconds = Int64(first) {
            guard parts.count == 2 else {
                self.init(seconds: seconds)
                return
            }
            let digits = parts[1].prefix(9)
            guard !digits.isEmpty, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), var value = Int64(digits)
            else { return nil }
            for _ in digits.count..<9 { value *= 10 }
            self.init(seconds: seconds, nanoseconds: value)
            return
        }
        guard let moment = try? Timestamp(text) else { return nil }
        self = moment
    }
}
