/// A moment in UTC, taken apart.
struct CalendarTime: Equatable {
    var year: Int
    var month: Int
    var day: Int
    var hour: Int
    var minute: Int
    var second: Int

    /// - Parameter seconds: since 1970.
    init(seconds: Int64) {
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let rest = Int(seconds - days * 86_400)
        hour = rest / 3600
        minute = rest / 60 % 60
        second = rest % 60
        // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = Int(shifted - era * 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + Int(era) * 400 + (month <= 2 ? 1 : 0)
    }
}

/// Writes times as Go's RFC3339Nano: no trailing zeros in the fraction, no point without one.
package struct TimestampFormatter {
    private var second: Int64 = .min
    private var prefix: [UInt8] = []

    /// - Parameter time: nanoseconds since 1970.
    mutating func append(_ time: Int64, to out: inout [UInt8]) {
        let seconds = time >= 0 ? time / 1_000_000_000 : (time - 999_999_999) / 1_000_000_000
        if seconds != second {
            second = seconds
            prefix = Self.prefix(CalendarTime(seconds: seconds))
        }
        out.append(contentsOf: prefix)
        var fraction = Int(time - seconds * 1_000_000_000)
        if fraction > 0 {
            var digits = 9
            while fraction % 10 == 0 {
                fraction /= 10
                digits -= 1
            }
            out.append(UInt8(ascii: "."))
            Self.appendNumber(fraction, digits: digits, to: &out)
        }
        out.append(UInt8(ascii: "Z"))
    }

    package static func text(_ time: Int64) -> String {
        var formatter = TimestampFormatter()
        var bytes: [UInt8] = []
        formatter.append(time, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func prefix(_ time: CalendarTime) -> [UInt8] {
        var bytes: [UInt8] = []
        appendNumber(time.year, digits: 4, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        appendNumber(time.month, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        appendNumber(time.day, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "T"))
        appendNumber(time.hour, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        appendNumber(time.minute, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        appendNumber(time.second, digits: 2, to: &bytes)
        return bytes
    }

    static func appendNumber(_ number: Int, digits: Int, to out: inout [UInt8]) {
        var divisor = 1
        for _ in 1..<max(1, digits) { divisor *= 10 }
        while divisor > 0 {
            out.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }
}
