/// Sizes in bytes, printed and read as Docker does.
public enum ByteSize {
    private static let decimalUnits = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]
    private static let binaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]

    /// `7.8MB`: powers of 1000 with at most `digits` significant digits.
    public static func decimal(_ size: Int64, digits: Int = 4) -> String {
        scaled(Double(size), 1000, decimalUnits, digits)
    }

    /// `7.8MB` of a size that is no whole number, such as a sum of rates.
    @_disfavoredOverload
    public static func decimal(_ size: Double, digits: Int = 4) -> String { scaled(size, 1000, decimalUnits, digits) }

    /// `7.5MiB`: powers of 1024 with at most 4 significant digits.
    public static func binary(_ size: Int64) -> String { scaled(Double(size), 1024, binaryUnits, 4) }

    /// `7.5MiB` of a size that is no whole number.
    @_disfavoredOverload
    public static func binary(_ size: Double) -> String { scaled(size, 1024, binaryUnits, 4) }

    private static func scaled(_ size: Double, _ base: Double, _ units: [String], _ digits: Int) -> String {
        var value = size
        var unit = 0
        while value >= base, unit < units.count - 1 {
            value /= base
            unit += 1
        }
        return formatted("%.\(digits)g", value) + units[unit]
    }

    /// Reads `64m`, `1.5 GiB` or `1024`, whatever the unit is called in powers of 1024.
    public static func parseBinary(_ text: String) throws(FlagError) -> Int64 { try parse(text, base: 1024) }

    /// Reads `64m`, `1.5 GB` or `1024` in powers of 1000.
    public static func parseDecimal(_ text: String) throws(FlagError) -> Int64 { try parse(text, base: 1000) }

    private static func parse(_ text: String, base: Double) throws(FlagError) -> Int64 {
        guard let last = text.lastIndex(where: { ("0"..."9").contains($0) || $0 == "." || $0 == " " }) else {
            throw .invalid("invalid size: '\(text)'")
        }
        let number = text[last] == " " ? text[..<last] : text[...last]
        let suffix = text[text.index(after: last)...].lowercased()
        guard var size = Double(number) else {
            throw .invalid("strconv.ParseFloat: parsing \(goQuoted(String(number))): invalid syntax")
        }
        guard size >= 0 else { throw .invalid("invalid size: '\(text)'") }
        if !suffix.isEmpty, suffix != "b" {
            let letters = Array(suffix)
            guard letters.count <= 3, let power = Array("kmgtp").firstIndex(of: letters[0]),
                letters.count != 2 || letters[1] == "b", letters.count != 3 || (letters[1] == "i" && letters[2] == "b")
            else {
                throw .invalid(
                    "invalid suffix: '\(letters.count <= 3 ? suffix : String(text[text.index(after: last)...]))'")
            }
            for _ in 0...power { size *= base }
        }
        // Go's conversion saturates at the smallest integer; a limit that large means the same as the largest.
        return size < 9.2e18 ? Int64(size) : Int64.max
    }
}
