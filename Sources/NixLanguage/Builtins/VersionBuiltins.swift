/// Versions and the names of packages.
enum VersionBuiltins {
    static var all: [Builtin] {
        [
            Builtin("parseDrvName", 1) { evaluator, arguments in
                let text = try evaluator.forcePlainString(
                    arguments[0], "while evaluating the first argument passed to builtins.parseDrvName")
                let (name, version) = split(text.bytes)
                return evaluator.set([
                    (evaluator.names.name, evaluator.slice(UnsafeBufferPointer(rebasing: name))),
                    (evaluator.names.version, evaluator.slice(UnsafeBufferPointer(rebasing: version))),
                ])
            },
            Builtin("compareVersions", 2) { evaluator, arguments in
                let left = try evaluator.forcePlainString(
                    arguments[0], "while evaluating the first argument passed to builtins.compareVersions")
                let right = try evaluator.forcePlainString(
                    arguments[1], "while evaluating the second argument passed to builtins.compareVersions")
                return .integer(Int64(compare(left.bytes, right.bytes)))
            },
            Builtin("splitVersion", 1) { evaluator, arguments in
                let text = try evaluator.forcePlainString(
                    arguments[0], "while evaluating the first argument passed to builtins.splitVersion")
                var components: [ValueRef] = []
                var rest = text.bytes[...]
                while let component = nextComponent(&rest) {
                    components.append(evaluator.slice(UnsafeBufferPointer(rebasing: component)))
                }
                return evaluator.list(components)
            },
        ]
    }

    typealias Bytes = Slice<UnsafeBufferPointer<UInt8>>

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    /// The name is what comes before the first dash that no letter follows.
    static func split(_ text: UnsafeBufferPointer<UInt8>) -> (name: Bytes, version: Bytes) {
        for index in text.indices.dropLast()
        where text[index] == UInt8(ascii: "-") && !Lexer.isLetter(text[index + 1]) {
            return (text[..<index], text[(index + 1)...])
        }
        return (text[...], text[text.endIndex...])
    }

    /// The next run of digits or of other characters; dots and dashes stand between.
    static func nextComponent(_ rest: inout Bytes) -> Bytes? {
        rest = rest.drop { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
        guard let first = rest.first else { return nil }
        let component =
            isDigit(first)
            ? rest.prefix(while: isDigit)
            : rest.prefix { !isDigit($0) && $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: "-") }
        rest = rest[component.endIndex...]
        return component
    }

    static func compare(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Int {
        var (left, right) = (left[...], right[...])
        while true {
            let first = nextComponent(&left)
            let second = nextComponent(&right)
            if first == nil, second == nil { return 0 }
            let (one, other) = (first ?? left[left.endIndex...], second ?? right[right.endIndex...])
            if precedes(one, other) { return -1 }
            if precedes(other, one) { return 1 }
        }
    }

    /// Numbers by value; `pre` before everything; a number after a word; words by their bytes; nothing before a number.
    private static func precedes(_ left: Bytes, _ right: Bytes) -> Bool {
        func number(_ bytes: Bytes) -> Int32? { Int32(String(decoding: bytes, as: UTF8.self)) }
        let (first, second) = (number(left), number(right))
        if let first, let second { return first < second }
        if left.isEmpty, second != nil { return true }
        let isPre = left.elementsEqual("pre".utf8)
        if isPre, !right.elementsEqual("pre".utf8) { return true }
        if right.elementsEqual("pre".utf8) { return false }
        if second != nil { return true }
        if first != nil { return false }
        return UnsafeBufferPointer(rebasing: left).precedes(UnsafeBufferPointer(rebasing: right))
    }
}
