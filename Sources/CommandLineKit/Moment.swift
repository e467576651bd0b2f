import Glibc

/// A moment: seconds and nanoseconds since 1970 in UTC.
public struct Moment: Sendable, Equatable, Comparable {
    public var seconds: Int64
    public var nanoseconds: Int64

    public init(seconds: Int64, nanoseconds: Int64 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    public static func now() -> Moment {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Moment(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }

    public static func < (left: Self, right: Self) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    /// Go's zero time, which Docker writes for "never".
    public var isZero: Bool { seconds == -62_135_596_800 }

    /// How long before `later` this was.
    public func duration(until later: Moment) -> GoDuration {
        let (seconds, overflowed) = (later.seconds - seconds).multipliedReportingOverflow(by: 1_000_000_000)
        if overflowed { return GoDuration(nanoseconds: .max) }
        return GoDuration(nanoseconds: seconds &+ later.nanoseconds &- nanoseconds)
    }

    public func adding(_ duration: GoDuration) -> Moment {
        var result = self
        result.seconds += duration.nanoseconds / 1_000_000_000
        result.nanoseconds += duration.nanoseconds % 1_000_000_000
        if result.nanoseconds < 0 {
            result.nanoseconds += 1_000_000_000
            result.seconds -= 1
        } else if result.nanoseconds >= 1_000_000_000 {
            result.nanoseconds -= 1_000_000_000
            result.seconds += 1
        }
        return result
    }

    // MARK: Reading

    /// Reads `2006-01-02T15:04:05.999999999Z` or with an offset (RFC 3339).
    public init?(rfc3339 text: String) {
        guard let parsed = Self.parse(text), parsed.hasSeconds, let offset = parsed.offset else { return nil }
        self.init(seconds: parsed.seconds - offset, nanoseconds: parsed.nanoseconds)
    }

    /// What Docker's `--since` and `--until` take: a duration back from `now`, a date with as much of a time as one
    /// cares to give (local unless it has an offset), or seconds since 1970, possibly with a fraction.
    /// - Returns: the API's form, `seconds.nanoseconds`.
    /// - Throws: when the text is none of these.
    public static func apiValue(_ text: String, now: Moment = .now()) throws(FlagError) -> String {
        // Docker takes a bare zero for the beginning of time, not for now.
        if text != "0", let duration = GoDuration(text) {
            let (seconds, nanoseconds) = (duration.nanoseconds / 1_000_000_000, duration.nanoseconds % 1_000_000_000)
            var moment = Moment(seconds: now.seconds - seconds, nanoseconds: now.nanoseconds - nanoseconds)
            if moment.nanoseconds < 0 {
                moment.nanoseconds += 1_000_000_000
                moment.seconds -= 1
            }
            return moment.apiValue
        }
        if let parsed = parse(text) {
            let seconds = parsed.offset.map { parsed.seconds - $0 } ?? local(parsed.seconds)
            return Moment(seconds: seconds, nanoseconds: parsed.nanoseconds).apiValue
        }
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        if Int64(parts[0]) != nil, parts.count == 1 || (Int64(parts[1]) != nil && parts[1].count <= 9) { return text }
        throw .invalid("failed to parse value as time or duration: \(goQuoted(text))")
    }

    /// `seconds.nanoseconds`, the form of the API's `since` and `until`.
    public var apiValue: String { "\(seconds)." + Self.digits(nanoseconds, 9) }

    private struct Parsed {
        var seconds: Int64
        var nanoseconds: Int64 = 0
        /// The offset from UTC in seconds, when the text has one.
        var offset: Int64?
        var hasSeconds = false
    }

    private static func parse(_ text: String) -> Parsed? {
        var rest = Array(text.utf8)[...]
        func number(_ count: Int) -> Int64? {
            guard rest.count >= count else { return nil }
            var value: Int64 = 0
            for byte in rest.prefix(count) {
                guard (48...57).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 48)
            }
            rest = rest.dropFirst(count)
            return value
        }
        func skip(_ character: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: character) else { return false }
            rest = rest.dropFirst()
            return true
        }
        guard let year = number(4), skip("-"), let month = number(2), skip("-"), let day = number(2),
            (1...12).contains(month), (1...daysIn(month, year)).contains(day)
        else { return nil }
        var parsed = Parsed(seconds: days(year, month, day) * 86_400)
        if skip("T") || skip("t") {
            guard let hour = number(2), hour < 24 else { return nil }
            parsed.seconds += hour * 3600
            if skip(":") {
                guard let minute = number(2), minute < 60 else { return nil }
                parsed.seconds += minute * 60
                if skip(":") {
                    guard let second = number(2), second < 61 else { return nil }
                    parsed.seconds += second
                    parsed.hasSeconds = true
                    if skip(".") {
                        var scale: Int64 = 100_000_000
                        var digits = 0
                        while let digit = number(1) {
                            parsed.nanoseconds += digit * scale
                            scale /= 10
                            digits += 1
                        }
                        guard digits > 0 else { return nil }
                    }
                }
            }
        }
        if skip("Z") || skip("z") {
            parsed.offset = 0
        } else if let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
            rest = rest.dropFirst()
            guard let hours = number(2), skip(":"), let minutes = number(2) else { return nil }
            parsed.offset = (hours * 3600 + minutes * 60) * (sign == UInt8(ascii: "-") ? -1 : 1)
        }
        return rest.isEmpty ? parsed : nil
    }

    private static func daysIn(_ month: Int64, _ year: Int64) -> Int64 {
        if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
        return [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    /// Days from 1970-01-01 to a day of the Gregorian calendar (H. Hinnant's algorithm).
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// The moment at which a clock in the local zone shows what `seconds` shows in UTC.
    private static func local(_ seconds: Int64) -> Int64 {
        seconds - zone(at: seconds - zone(at: seconds).offset).offset
    }

    // MARK: Printing

    private struct Calendar {
        var year: Int64, month: Int64, day: Int64, hour: Int64, minute: Int64, second: Int64
    }

    private static func calendar(_ seconds: Int64) -> Calendar {
        let secondOfDay = (seconds % 86_400 + 86_400) % 86_400
        let day = (seconds - secondOfDay) / 86_400 + 719_468
        let era = (day >= 0 ? day : day - 146_096) / 146_097
        let dayOfEra = day - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return Calendar(
            year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month,
            day: dayOfYear - (153 * shifted + 2) / 5 + 1,
            hour: secondOfDay / 3600, minute: secondOfDay / 60 % 60, second: secondOfDay % 60)
    }

    private static func digits(_ value: Int64, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }

    private static func date(_ moment: Calendar) -> String {
        "\(digits(moment.year, 4))-\(digits(moment.month, 2))-\(digits(moment.day, 2))"
    }

    private static func time(_ moment: Calendar) -> String {
        "\(digits(moment.hour, 2)):\(digits(moment.minute, 2)):\(digits(moment.second, 2))"
    }

    /// `2006-01-02T15:04:05.123456789Z`, without a fraction when there is none; `fixed` keeps all nine digits.
    public func rfc3339(fixed: Bool = false) -> String {
        let moment = Self.calendar(seconds)
        var fraction = Self.digits(nanoseconds, 9)
        if !fixed { while fraction.last == "0" { fraction.removeLast() } }
        return "\(Self.date(moment))T\(Self.time(moment))" + (fraction.isEmpty ? "" : "." + fraction) + "Z"
    }

    /// The local time with nine digits and the offset, `2006-01-02T15:04:05.000000000+02:00`, as `events` prints it.
    public func localRFC3339() -> String {
        let zone = Self.zone(at: seconds)
        let moment = Self.calendar(seconds + zone.offset)
        return "\(Self.date(moment))T\(Self.time(moment)).\(Self.digits(nanoseconds, 9))"
            + (zone.offset == 0 ? "Z" : Self.offsetText(zone.offset, separator: ":"))
    }

    /// The local time to the second, `2006-01-02T15:04:05+02:00`.
    public func localRFC3339Seconds() -> String {
        let zone = Self.zone(at: seconds)
        let moment = Self.calendar(seconds + zone.offset)
        return "\(Self.date(moment))T\(Self.time(moment))"
            + (zone.offset == 0 ? "Z" : Self.offsetText(zone.offset, separator: ":"))
    }

    /// The local time as Go's `Time.String` has it: `2006-01-02 15:04:05 +0000 UTC`.
    public func goString() -> String {
        let zone = Self.zone(at: seconds)
        let moment = Self.calendar(seconds + zone.offset)
        return "\(Self.date(moment)) \(Self.time(moment)) \(Self.offsetText(zone.offset, separator: "")) \(zone.name)"
    }

    private static func offsetText(_ offset: Int64, separator: String) -> String {
        let minutes = abs(offset) / 60
        return (offset < 0 ? "-" : "+") + digits(minutes / 60, 2) + separator + digits(minutes % 60, 2)
    }

    /// The local zone's offset in seconds east of UTC, and its name.
    private static func zone(at seconds: Int64) -> (offset: Int64, name: String) {
        var time = time_t(seconds)
        var parts = tm()
        guard localtime_r(&time, &parts) != nil else { return (0, "UTC") }
        return (Int64(parts.tm_gmtoff), parts.tm_zone.map { String(cString: $0) } ?? "UTC")
    }
}
