import Glibc

/// `text` between double quotes with escapes, as Go's `%q` prints it.
public func goQuoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\r": result += "\\r"
        case "\t": result += "\\t"
        case "\u{07}": result += "\\a"
        case "\u{08}": result += "\\b"
        case "\u{0B}": result += "\\v"
        case "\u{0C}": result += "\\f"
        default:
            if scalar.value < 0x20 || scalar.value == 0x7F {
                let hex = String(scalar.value, radix: 16)
                result += "\\x" + (hex.count < 2 ? "0" + hex : hex)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
    }
    return result + "\""
}

/// A number as C's `printf` prints it with one conversion of a double, as in `%.4g`.
public func formatted(_ format: String, _ value: Double) -> String {
    withVaList([value]) { arguments in
        var buffer = [CChar](repeating: 0, count: 512)
        let length = Int(vsnprintf(&buffer, buffer.count, format, arguments))
        return String(
            decoding: buffer.prefix(max(0, min(length, buffer.count - 1))).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// A number as Go's `%v` prints a float64: the fewest digits that read back the same, with an exponent only below
/// 1e-4 and from 1e21.
public func goFormat(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    if value == 0 { return value.sign == .minus ? "-0" : "0" }
    // Swift's description has the same digits, in another layout: take them apart.
    let text = "\(value.magnitude)"
    let halves = text.split(separator: "e")
    var exponent = halves.count > 1 ? Int(halves[1]) ?? 0 : 0
    let mantissa = halves[0].split(separator: ".", omittingEmptySubsequences: false)
    var digits = String(mantissa[0])
    var point = digits.count
    if mantissa.count > 1, mantissa[1] != "0" { digits += mantissa[1] }
    let leadingZeros = digits.prefix { $0 == "0" }.count
    digits.removeFirst(leadingZeros)
    point -= leadingZeros
    while digits.last == "0" { digits.removeLast() }
    exponent += point - 1
    let sign = value < 0 ? "-" : ""
    if exponent < -4 || exponent >= 21 {
        let fraction = digits.count > 1 ? "." + digits.dropFirst() : ""
        let power = String(abs(exponent))
        return "\(sign)\(digits.prefix(1))\(fraction)e\(exponent < 0 ? "-" : "+")\(power.count < 2 ? "0" : "")\(power)"
    }
    if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits }
    if digits.count <= exponent + 1 {
        return sign + digits + String(repeating: "0", count: exponent + 1 - digits.count)
    }
    return sign + digits.prefix(exponent + 1) + "." + digits.dropFirst(exponent + 1)
}

/// Values separated by commas, as Go's `encoding/csv` reads one line; Docker's `--mount` and pflag's slices use it.
public enum CommaSeparated {
    /// - Returns: the fields, or `nil` when a quote is misplaced or not closed.
    public static func fields(_ line: String) -> [String]? {
        if line.isEmpty { return [] }
        var fields: [String] = []
        var rest = Array(line.unicodeScalars)[...]
        while true {
            var field = String.UnicodeScalarView()
            if rest.first == "\"" {
                rest.removeFirst()
                while true {
                    guard let scalar = rest.popFirst() else { return nil }
                    guard scalar == "\"" else {
                        field.append(scalar)
                        continue
                    }
                    guard rest.first == "\"" else { break }
                    rest.removeFirst()
                    field.append("\"")
                }
                guard rest.isEmpty || rest.first == "," else { return nil }
            } else {
                while let scalar = rest.first, scalar != "," {
                    if scalar == "\"" { return nil }
                    field.append(scalar)
                    rest.removeFirst()
                }
            }
            fields.append(String(field))
            guard rest.popFirst() != nil else { return fields }
        }
    }
}
