/// A declared flag and, after parsing, its value.
///
/// `FlagSet` hands it out when the flag is declared; reading `value` before parsing gives the default.
public final class Flag<Value> {
    /// The flag's value: the default until the command line sets it.
    public fileprivate(set) var value: Value
    let definition: FlagDefinition

    init(value: Value, definition: FlagDefinition) {
        self.value = value
        self.definition = definition
    }

    /// Whether the command line named the flag, even with its default value.
    public var isSet: Bool { definition.isSet }

    /// The flag's long name.
    public var name: String { definition.name }

    /// Keeps the flag out of help texts.
    @discardableResult
    public func hidden() -> Self {
        definition.isHidden = true
        return self
    }

    /// Keeps the flag out of help texts and warns with `advice` when it is used.
    @discardableResult
    public func deprecated(_ advice: String) -> Self {
        definition.deprecation = advice
        return self
    }

    /// Warns with `advice` when the one-letter form is used, and keeps that form out of help texts.
    @discardableResult
    public func shorthandDeprecated(_ advice: String) -> Self {
        definition.shorthandDeprecation = advice
        return self
    }

    /// The value used when the flag is given without one, as in `--flag` where `--flag=x` is possible too.
    @discardableResult
    public func valueWhenBare(_ value: String) -> Self {
        definition.bareValue = value
        return self
    }

    /// Sets the value from outside the command line, for instance from a configuration file.
    public func assign(_ value: Value) { self.value = value }
}

/// What a `FlagSet` knows about a flag.
final class FlagDefinition {
    let name: String
    let shorthand: Character?
    /// The value's type as help texts show it; empty for a switch.
    let type: String
    let help: String
    /// The default as help texts show it, or `nil` when it is the type's zero.
    let defaultText: String?
    var bareValue: String?
    var isSet = false
    var isHidden = false
    var deprecation: String?
    var shorthandDeprecation: String?
    /// Stores a value from the command line.
    var set: (String) throws(FlagError) -> Void = { (_) throws(FlagError) in }

    init(
        name: String, shorthand: Character?, type: String, help: String, defaultText: String?, bareValue: String? = nil
    ) {
        self.name = name
        self.shorthand = shorthand
        self.type = type
        self.help = help
        self.defaultText = defaultText
        self.bareValue = bareValue
    }
}

extension FlagSet {
    /// Declares a flag of any type. The other declarations are made of this one.
    /// - Parameters:
    ///   - type: the value's type in help texts.
    ///   - defaultText: the default as help texts show it; `nil` when there is none worth showing.
    ///   - bareValue: the value when the flag is given without one; `nil` when it needs one.
    ///   - parse: folds one value from the command line into the flag's value; `isFirst` tells whether the flag
    ///     still holds its default.
    @discardableResult
    public func custom<Value>(
        _ name: String, _ shorthand: Character?, type: String, default value: Value, defaultText: String? = nil,
        bareValue: String? = nil, _ help: String,
        parse: @escaping (_ text: String, _ value: inout Value, _ isFirst: Bool) throws(FlagError) -> Void
    ) -> Flag<Value> {
        let definition = FlagDefinition(
            name: name, shorthand: shorthand, type: type, help: help, defaultText: defaultText, bareValue: bareValue)
        let flag = Flag(value: value, definition: definition)
        definition.set = { [unowned flag, unowned definition] (text) throws(FlagError) in
            var next = flag.value
            try parse(text, &next, !definition.isSet)
            flag.value = next
        }
        add(definition, owner: flag)
        return flag
    }

    /// A switch: `--name`, `--name=false`, and as a letter in a cluster.
    @discardableResult
    public func bool(
        _ name: String, _ shorthand: Character?, default value: Bool = false, _ help: String
    ) -> Flag<Bool> {
        custom(
            name, shorthand, type: "", default: value, defaultText: value ? "true" : nil, bareValue: "true", help
        ) { (text, value, _) throws(FlagError) in value = try FlagText.bool(text) }
    }

    /// A text.
    @discardableResult
    public func string(
        _ name: String, _ shorthand: Character?, default value: String = "", type: String = "string",
        _ help: String
    ) -> Flag<String> {
        custom(
            name, shorthand, type: type, default: value, defaultText: value.isEmpty ? nil : goQuoted(value), help
        ) { (text, value, _) throws(FlagError) in value = text }
    }

    /// A signed integer; decimal, `0x`, `0o`, `0b` or a leading 0 for octal.
    @discardableResult
    public func int(
        _ name: String, _ shorthand: Character?, default value: Int64 = 0, type: String = "int", _ help: String
    ) -> Flag<Int64> {
        custom(
            name, shorthand, type: type, default: value, defaultText: value == 0 ? nil : String(value), help
        ) { (text, value, _) throws(FlagError) in value = try FlagText.int(text) }
    }

    /// An unsigned integer of at most `bits` bits.
    @discardableResult
    public func uint(
        _ name: String, _ shorthand: Character?, default value: UInt64 = 0, bits: Int = 64,
        type: String = "uint", defaultText: String? = nil, _ help: String
    ) -> Flag<UInt64> {
        custom(
            name, shorthand, type: type, default: value,
            defaultText: defaultText ?? (value == 0 ? nil : String(value)), help
        ) { (text, value, _) throws(FlagError) in value = try FlagText.uint(text, bits: bits) }
    }

    /// A floating-point number.
    @discardableResult
    public func double(
        _ name: String, _ shorthand: Character?, default value: Double = 0, _ help: String
    ) -> Flag<Double> {
        custom(
            name, shorthand, type: "float", default: value, defaultText: value == 0 ? nil : goFormat(value), help
        ) { (text, value, _) throws(FlagError) in
            guard let number = Double(text) else {
                throw .invalid("strconv.ParseFloat: parsing \(goQuoted(text)): invalid syntax")
            }
            value = number
        }
    }

    /// A duration in Go's syntax (`1h30m`, `250ms`), in nanoseconds.
    @discardableResult
    public func duration(
        _ name: String, _ shorthand: Character?, default value: GoDuration = .zero, showsZero: Bool = false,
        _ help: String
    ) -> Flag<GoDuration> {
        custom(
            name, shorthand, type: "duration", default: value,
            defaultText: value == .zero && !showsZero ? nil : value.description, help
        ) { (text, value, _) throws(FlagError) in
            guard let duration = GoDuration(text) else { throw .invalid("time: invalid duration \(goQuoted(text))") }
            value = duration
        }
    }

    /// A number of bytes: `64m`, `1.5GiB`, `1024`; units are powers of 1024.
    /// - Parameter unlimited: whether `-1` is a value too.
    @discardableResult
    public func bytes(
        _ name: String, _ shorthand: Character?, default value: Int64 = 0, unlimited: Bool = false,
        _ help: String
    ) -> Flag<Int64> {
        custom(
            name, shorthand, type: "bytes", default: value, defaultText: value == 0 ? nil : ByteSize.binary(value),
            help
        ) { (text, value, _) throws(FlagError) in
            if unlimited, text == "-1" {
                value = -1
                return
            }
            value = try ByteSize.parseBinary(text)
        }
    }

    /// A flag that may be repeated; each use adds one text.
    /// - Parameter validate: may refuse or rewrite a value.
    @discardableResult
    public func strings(
        _ name: String, _ shorthand: Character?, default value: [String] = [], type: String = "list",
        _ help: String, validate: ((String) throws(FlagError) -> String)? = nil
    ) -> Flag<[String]> {
        custom(
            name, shorthand, type: type, default: value,
            defaultText: value.isEmpty ? nil : "[" + value.joined(separator: ",") + "]", help
        ) { (text, value, isFirst) throws(FlagError) in
            if isFirst { value = [] }
            value.append(try validate?(text) ?? text)
        }
    }

    /// A flag that may be repeated and whose values are split at commas, as pflag's string slices are.
    @discardableResult
    public func commaSeparated(
        _ name: String, _ shorthand: Character?, default value: [String] = [], type: String = "strings",
        _ help: String
    ) -> Flag<[String]> {
        custom(
            name, shorthand, type: type, default: value,
            defaultText: value.isEmpty ? nil : "[" + value.joined(separator: ",") + "]", help
        ) { (text, value, isFirst) throws(FlagError) in
            if isFirst { value = [] }
            guard let fields = CommaSeparated.fields(text) else { throw .invalid("invalid argument \(goQuoted(text))") }
            value += fields
        }
    }

    /// A flag that may be repeated, of `name=value` pairs; a name alone has an empty value.
    @discardableResult
    public func map(
        _ name: String, _ shorthand: Character?, type: String = "map", showsEmpty: Bool = false, _ help: String,
        validate: ((String) throws(FlagError) -> String)? = nil
    ) -> Flag<[String: String]> {
        custom(name, shorthand, type: type, default: [:], defaultText: showsEmpty ? "map[]" : nil, help) {
            (text, value, _) throws(FlagError) in
            let accepted = try validate?(text) ?? text
            let parts = accepted.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            value[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
        }
    }
}

/// Values from the command line, read as Go's `strconv` reads them and refused in its words.
enum FlagText {
    static func bool(_ text: String) throws(FlagError) -> Bool {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default: throw .invalid("strconv.ParseBool: parsing \(goQuoted(text)): invalid syntax")
        }
    }

    static func int(_ text: String) throws(FlagError) -> Int64 {
        switch integer(text) {
        case .value(let negative, let magnitude):
            if negative, magnitude <= 1 << 63 { return Int64(truncatingIfNeeded: 0 &- magnitude) }
            if !negative, let value = Int64(exactly: magnitude) { return value }
            throw .invalid("strconv.ParseInt: parsing \(goQuoted(text)): value out of range")
        case .outOfRange: throw .invalid("strconv.ParseInt: parsing \(goQuoted(text)): value out of range")
        case .syntax: throw .invalid("strconv.ParseInt: parsing \(goQuoted(text)): invalid syntax")
        }
    }

    static func uint(_ text: String, bits: Int) throws(FlagError) -> UInt64 {
        if case .value(false, let value) = integer(text), !text.hasPrefix("+") {
            if bits >= 64 || value >> UInt64(bits) == 0 { return value }
            throw .invalid("strconv.ParseUint: parsing \(goQuoted(text)): value out of range")
        }
        if case .outOfRange = integer(text) {
            throw .invalid("strconv.ParseUint: parsing \(goQuoted(text)): value out of range")
        }
        throw .invalid("strconv.ParseUint: parsing \(goQuoted(text)): invalid syntax")
    }

    private enum Integer {
        case value(negative: Bool, magnitude: UInt64)
        case outOfRange
        case syntax
    }

    private static func integer(_ text: String) -> Integer {
        var digits = Substring(text)
        let negative = digits.hasPrefix("-")
        if negative || digits.hasPrefix("+") { digits = digits.dropFirst() }
        var radix = 10
        let lowered = digits.prefix(2).lowercased()
        if lowered == "0x" {
            radix = 16
        } else if lowered == "0o" {
            radix = 8
        } else if lowered == "0b" {
            radix = 2
        }
        if radix != 10 {
            digits = digits.dropFirst(2)
        } else if digits.count > 1, digits.hasPrefix("0") {
            radix = 8
            digits = digits.dropFirst()
        }
        guard !digits.isEmpty, digits.allSatisfy({ ($0.hexDigitValue ?? 99) < radix && $0.isASCII }) else {
            return .syntax
        }
        guard let magnitude = UInt64(digits, radix: radix) else { return .outOfRange }
        return .value(negative: negative, magnitude: magnitude)
    }
}
