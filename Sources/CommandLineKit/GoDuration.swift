/// A span of time in nanoseconds, read and printed as Go's `time.Duration`.
public struct GoDuration: Sendable, Equatable, Comparable, CustomStringConvertible {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static let zero = GoDuration(nanoseconds: 0)
    public static func seconds(_ count: Int64) -> GoDuration { GoDuration(nanoseconds: count * 1_000_000_000) }
    public static func milliseconds(_ count: Int64) -> GoDuration { GoDuration(nanoseconds: count * 1_000_000) }

    public static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    public var seconds: Double { Double(nanoseconds) / 1e9 }

    /// Reads `1h15m30.918s`, `-2ms`, `0`. `nil` when the text is no duration or is longer than 292 years.
    public init?(_ text: String) {
        var rest = Array(text.utf8)[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        if rest.elementsEqual("0".utf8) {
            self.init(nanoseconds: 0)
            return
        }
        guard !rest.isEmpty else { return nil }
        var total: UInt64 = 0
        while !rest.isEmpty {
            var whole: UInt64 = 0
            var fraction = 0.0
            var scale = 1.0
            var digits = 0
            while let digit = rest.first, (48...57).contains(digit) {
                let (product, overflowed) = whole.multipliedReportingOverflow(by: 10)
                guard !overflowed, product <= 1 << 63 else { return nil }
                whole = product + UInt64(digit - 48)
                digits += 1
                rest.removeFirst()
            }
            if rest.first == UInt8(ascii: ".") {
                rest.removeFirst()
                while let digit = rest.first, (48...57).contains(digit) {
                    if scale < 1e18 {
                        scale *= 10
                        fraction = fraction * 10 + Double(digit - 48)
                    }
                    digits += 1
                    rest.removeFirst()
                }
            }
            guard digits > 0 else { return nil }
            let unitEnd = rest.firstIndex { $0 == UInt8(ascii: ".") || (48...57).contains($0) } ?? rest.endIndex
            let unit: UInt64
            switch String(decoding: rest[..<unitEnd], as: UTF8.self) {
            case "ns": unit = 1
            case "us", "µs", "μs": unit = 1_000
            case "ms": unit = 1_000_000
            case "s": unit = 1_000_000_000
            case "m": unit = 60_000_000_000
            case "h": unit = 3_600_000_000_000
            default: return nil
            }
            rest = rest[unitEnd...]
            let (span, overflowed) = whole.multipliedReportingOverflow(by: unit)
            guard !overflowed, span <= 1 << 63 else { return nil }
            let (sum, exceeded) = total.addingReportingOverflow(span + UInt64(fraction * (Double(unit) / scale)))
            guard !exceeded, sum <= 1 << 63 else { return nil }
            total = sum
        }
        if isNegative {
            self.init(nanoseconds: Int64(truncatingIfNeeded: 0 &- total))
        } else {
            guard let value = Int64(exactly: total) else { return nil }
            self.init(nanoseconds: value)
        }
    }

    /// `1h15m30.918s`, `250ms`, `0s`.
    public var description: String {
        if nanoseconds == 0 { return "0s" }
        let sign = nanoseconds < 0 ? "-" : ""
        let magnitude = nanoseconds.magnitude
        func fraction(_ value: UInt64, per unit: UInt64) -> String {
            var digits = String(value % unit)
            digits = String(repeating: "0", count: String(unit).count - 1 - digits.count) + digits
            while digits.last == "0" { digits.removeLast() }
            return "\(value / unit)" + (digits.isEmpty ? "" : "." + digits)
        }
        if magnitude < 1_000 { return "\(sign)\(magnitude)ns" }
        if magnitude < 1_000_000 { return sign + fraction(magnitude, per: 1_000) + "µs" }
        if magnitude < 1_000_000_000 { return sign + fraction(magnitude, per: 1_000_000) + "ms" }
        let hours = magnitude / 3_600_000_000_000
        let minutes = magnitude / 60_000_000_000 % 60
        let seconds = fraction(magnitude % 60_000_000_000, per: 1_000_000_000)
        if hours > 0 { return "\(sign)\(hours)h\(minutes)m\(seconds)s" }
        return minutes > 0 ? "\(sign)\(minutes)m\(seconds)s" : "\(sign)\(seconds)s"
    }

    /// The span in words, as Docker's tables have it: `About an hour`, `3 minutes`.
    public var humanized: String {
        let seconds = nanoseconds / 1_000_000_000
        if seconds < 1 { return "Less than a second" }
        if seconds == 1 { return "1 second" }
        if seconds < 60 { return "\(seconds) seconds" }
        let minutes = seconds / 60
        if minutes == 1 { return "About a minute" }
        if minutes < 60 { return "\(minutes) minutes" }
        // Docker rounds to the nearest hour.
        let hours = Int64(Double(nanoseconds) / 3.6e12 + 0.5)
        if hours == 1 { return "About an hour" }
        if hours < 48 { return "\(hours) hours" }
        if hours < 24 * 7 * 2 { return "\(hours / 24) days" }
        if hours < 24 * 30 * 2 { return "\(hours / 24 / 7) weeks" }
        if hours < 24 * 365 * 2 { return "\(hours / 24 / 30) months" }
        return "\(Int64(Double(nanoseconds) / 3.6e12) / 24 / 365) years"
    }
}
