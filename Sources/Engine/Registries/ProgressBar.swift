/// The bar that Docker's messages carry for clients that draw none of their own.
enum ProgressBar {
    static func text(current: Int64, total: Int64) -> String {
        guard total > 0, current <= total else { return current > 0 ? padded(size(current)) : "" }
        let filled = min(50, Int(Double(current) / Double(total) * 50))
        let bar = String(repeating: "=", count: filled) + ">" + String(repeating: " ", count: 50 - filled)
        return "[\(bar)] \(padded(size(current)))/\(size(total))"
    }

    private static func padded(_ text: String) -> String {
        String(repeating: " ", count: max(0, 8 - text.utf8.count)) + text
    }

    /// Powers of 1000 with at most four significant digits.
    static func size(_ bytes: Int64) -> String {
        let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
        var (value, unit) = (Double(bytes), 0)
        while value >= 1000, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        let scale = value < 10 ? 1000.0 : value < 100 ? 100.0 : value < 1000 ? 10.0 : 1.0
        let rounded = (value * scale).rounded() / scale
        let text = rounded == rounded.rounded() ? "\(Int64(rounded))" : "\(rounded)"
        return text + units[unit]
    }
}
