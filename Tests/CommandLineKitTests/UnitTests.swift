import CommandLineKit
import Testing

@Suite struct UnitTests {
    @Test(
        arguments: [
            (0, "0B"), (999, "999B"), (1000, "1kB"), (1_982_000, "1.982MB"), (7_800_000, "7.8MB"),
            (1_234_567_890, "1.235GB"),
        ] as [(Int64, String)]) func decimal(_ size: Int64, _ text: String)
    { #expect(ByteSize.decimal(size) == text) }

    @Test func otherSizes() {
        #expect(ByteSize.decimal(1_982_345, digits: 3) == "1.98MB" && ByteSize.binary(7_864_320) == "7.5MiB")
        #expect(ByteSize.binary(1023) == "1023B" && ByteSize.binary(1024) == "1KiB")
    }

    @Test(
        arguments: [
            ("32", 32), ("32b", 32), ("32k", 32_768), ("32KiB", 32_768), ("1.5 g", 1_610_612_736), ("1MB", 1_048_576),
            (".5k", 512), ("1p", 1_125_899_906_842_624),
        ] as [(String, Int64)]) func parsesSizes(_ text: String, _ size: Int64) throws
    {
        #expect(try ByteSize.parseBinary(text) == size)
    }

    @Test(arguments: ["", "k", "-1", "1x", "1kbb", "1bk", "1 2k", "1ki"]) func refusesSizes(_ text: String) {
        #expect(throws: FlagError.self) { try ByteSize.parseBinary(text) }
    }

    @Test(
        arguments: [
            ("0", 0), ("5s", 5_000_000_000), ("1h15m30.918273645s", 4_530_918_273_645), ("-1.5h", -5_400_000_000_000),
            ("1us", 1000), ("1µs", 1000), (".5s", 500_000_000), ("9223372036854775807ns", .max),
            ("-9223372036854775808ns", .min),
        ] as [(String, Int64)]) func parsesDurations(_ text: String, _ nanoseconds: Int64)
    {
        #expect(GoDuration(text)?.nanoseconds == nanoseconds)
    }

    @Test(arguments: ["", "3", "-", "s", ".", "1.s.", "3000000h", "9223372036854775808ns", "1h-5m", "+", "1x"])
    func refusesDurations(_ text: String) { #expect(GoDuration(text) == nil) }

    @Test(arguments: ["0s", "1ns", "1.1µs", "2.2ms", "3.3s", "4m5s", "5h6m7.001s", "-8ms", "2562047h47m16.854775807s"])
    func durationsRoundTrip(_ text: String) { #expect(GoDuration(text)?.description == text) }

    @Test(
        arguments: [
            (0, "Less than a second"), (1, "1 second"), (45, "45 seconds"), (60, "About a minute"), (180, "3 minutes"),
            (3600, "About an hour"), (5400, "2 hours"), (172_800, "2 days"), (1_209_600, "2 weeks"),
            (5_184_000, "2 months"),
            (63_072_000, "2 years"),
        ] as [(Int64, String)]) func humanized(_ seconds: Int64, _ text: String)
    {
        #expect(GoDuration.seconds(seconds).humanized == text)
    }

    @Test func moments() throws {
        let moment = try #require(Moment(rfc3339: "2024-02-29T12:34:56.789Z"))
        #expect(moment == Moment(seconds: 1_709_210_096, nanoseconds: 789_000_000))
        #expect(moment.rfc3339() == "2024-02-29T12:34:56.789Z")
        #expect(moment.rfc3339(fixed: true) == "2024-02-29T12:34:56.789000000Z")
        #expect(Moment(rfc3339: "1969-12-31T23:00:00-01:00") == Moment(seconds: 0))
        #expect(Moment(rfc3339: "0001-01-01T00:00:00Z")?.isZero == true)
        for bad in [
            "", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00Zx", "x024-01-01T00:00:00Z",
        ] {
            #expect(Moment(rfc3339: bad) == nil, "\(bad)")
        }
        // Every day of two hundred and fifty years has the date that follows the day before.
        var date = (year: 1890, month: 1, day: 1)
        for day in -29_219...62_091 {
            func padded(_ number: Int) -> String { (number < 10 ? "0" : "") + String(number) }
            let text = "\(date.year)-\(padded(date.month))-\(padded(date.day))T00:00:00Z"
            guard Moment(seconds: Int64(day) * 86_400).rfc3339() == text,
                Moment(rfc3339: text)?.seconds == Int64(day) * 86_400
            else {
                Issue.record("\(text) at day \(day)")
                return
            }
            let isLeap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0)
            let length = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][date.month - 1]
            date.day += 1
            if date.day > length { date = (date.year, date.month + 1, 1) }
            if date.month > 12 { date = (date.year + 1, 1, 1) }
        }
    }

    @Test func sinceValues() throws {
        let now = Moment(seconds: 1000, nanoseconds: 5)
        #expect(try Moment.apiValue("10s", now: now) == "990.000000005")
        #expect(try Moment.apiValue("1136073600.000000001", now: now) == "1136073600.000000001")
        #expect(try Moment.apiValue("1136073600", now: now) == "1136073600")
        #expect(try Moment.apiValue("0", now: now) == "0" && Moment.apiValue("0s", now: now) == "1000.000000005")
        #expect(try Moment.apiValue("2006-01-02T15:04:05Z", now: now) == "1136214245.000000000")
        #expect(try Moment.apiValue("2006-01-02Z", now: now) == "1136160000.000000000")
        #expect(throws: FlagError.self) { try Moment.apiValue("foo", now: now) }
    }

    @Test func tables() {
        var table = Table()
        table.add(["ID", "NAME", "STATUS"])
        table.add(["1", "a longer name", "up"])
        table.add(["123456789012", "é", ""])
        #expect(
            table.rendered() == "ID             NAME            STATUS\n1              a longer name   up\n"
                + "123456789012   é               \n")
        var plain = Table()
        plain.add(line: "one cell that is very wide")
        plain.add(line: "a\tb")
        #expect(plain.rendered() == "one cell that is very wide\na         b\n")
    }

    @Test func numbers() {
        for (value, text) in [
            (0.1, "0.1"), (1e20, "100000000000000000000"), (1e21, "1e+21"), (1e-5, "1e-05"),
            (0.0001, "0.0001"), (-2.5, "-2.5"),
        ] { #expect(goFormat(value) == text) }
        #expect(goQuoted("a\"b\n\u{1}é") == "\"a\\\"b\\n\\x01é\"")
    }

    @Test func durationsPastTheEnd() {
        let half = "9223372036854775808ns"
        #expect(GoDuration(half) == nil && GoDuration(half + half) == nil && GoDuration("-" + half + half) == nil)
        #expect(GoDuration("-" + half)?.nanoseconds == .min)
    }

    @Test func commaSeparated() {
        #expect(CommaSeparated.fields("a,\"b,c\",\"d\"\"e\"") == ["a", "b,c", "d\"e"])
        #expect(CommaSeparated.fields("a,,") == ["a", "", ""] && CommaSeparated.fields("") == [])
        for bad in ["a\"b", "\"a", "\"a\"b"] { #expect(CommaSeparated.fields(bad) == nil) }
    }
}
