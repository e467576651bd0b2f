// The declarations of flags without a letter: Swift cannot leave out an unlabelled parameter in the middle.

extension FlagSet {
    @discardableResult
    public func custom<Value>(
        _ name: String, type: String, default value: Value, defaultText: String? = nil, bareValue: String? = nil,
        _ help: String,
        parse: @escaping (_ text: String, _ value: inout Value, _ isFirst: Bool) throws(FlagError) -> Void
    ) -> Flag<Value> {
        custom(
            name, nil, type: type, default: value, defaultText: defaultText, bareValue: bareValue, help, parse: parse)
    }

    @discardableResult
    public func bool(_ name: String, default value: Bool = false, _ help: String) -> Flag<Bool> {
        bool(name, nil, default: value, help)
    }

    @discardableResult
    public func string(
        _ name: String, default value: String = "", type: String = "string", _ help: String
    ) -> Flag<String> { string(name, nil, default: value, type: type, help) }

    @discardableResult
    public func int(_ name: String, default value: Int64 = 0, type: String = "int", _ help: String) -> Flag<Int64> {
        int(name, nil, default: value, type: type, help)
    }

    @discardableResult
    public func uint(
        _ name: String, default value: UInt64 = 0, bits: Int = 64, type: String = "uint", defaultText: String? = nil,
        _ help: String
    ) -> Flag<UInt64> {
        uint(name, nil, default: value, bits: bits, type: type, defaultText: defaultText, help)
    }

    @discardableResult
    public func double(_ name: String, default value: Double = 0, _ help: String) -> Flag<Double> {
        double(name, nil, default: value, help)
    }

    @discardableResult
    public func duration(
        _ name: String, default value: GoDuration = .zero, showsZero: Bool = false, _ help: String
    ) -> Flag<GoDuration> { duration(name, nil, default: value, showsZero: showsZero, help) }

    @discardableResult
    public func bytes(
        _ name: String, default value: Int64 = 0, unlimited: Bool = false, _ help: String
    ) -> Flag<Int64> { bytes(name, nil, default: value, unlimited: unlimited, help) }

    @discardableResult
    public func strings(
        _ name: String, default value: [String] = [], type: String = "list", _ help: String,
        validate: ((String) throws(FlagError) -> String)? = nil
    ) -> Flag<[String]> { strings(name, nil, default: value, type: type, help, validate: validate) }

    @discardableResult
    public func commaSeparated(
        _ name: String, default value: [String] = [], type: String = "strings", _ help: String
    ) -> Flag<[String]> { commaSeparated(name, nil, default: value, type: type, help) }

    @discardableResult
    public func map(
        _ name: String, type: String = "map", showsEmpty: Bool = false, _ help: String,
        validate: ((String) throws(FlagError) -> String)? = nil
    ) -> Flag<[String: String]> { map(name, nil, type: type, showsEmpty: showsEmpty, help, validate: validate) }
}
