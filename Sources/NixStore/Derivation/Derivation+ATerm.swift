// The text of a derivation's file: an annotated term, `Derive([outputs],[inputs],[sources],system,builder,[args],[env])`,
// everything in order of its bytes.

extension Derivation {
    /// The derivation as it stands in its `.drv` file.
    /// - Parameters:
    ///   - masksOutputs: whether outputs' paths, and the variables that hold them, are left empty, as in the text that
    ///     decides those paths.
    ///   - inputHashes: what to write in place of the input derivations, when that is not their paths.
    public func aterm(
        in store: StoreDirectory, masksOutputs: Bool = false, inputHashes: [(String, Set<String>)]? = nil
    ) throws(StoreError) -> [UInt8] {
        var writer = ATermWriter()
        writer.raw("Derive([")
        var isFirst = true
        for (name, output) in outputs.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            writer.separator(&isFirst)
            writer.raw("(")
            writer.plain(name)
            writer.raw(",")
            switch output {
            case .inputAddressed(let path):
                writer.plain(masksOutputs ? "" : store.print(path))
                writer.raw(",\"\",\"\")")
            case .fixed(let address):
                let path = try self.path(of: name, in: store)
                writer.plain(masksOutputs ? "" : path.map(store.print) ?? "")
                writer.raw(",")
                writer.plain(address.methodAlgorithm)
                writer.raw(",")
                writer.plain(address.hash.text(.base16))
                writer.raw(")")
            case .deferred: writer.raw("\"\",\"\",\"\")")
            }
        }
        writer.raw("],[")
        let inputs =
            inputHashes ?? inputDerivations.sorted { $0.key < $1.key }.map { (store.print($0.key), $0.value) }
        isFirst = true
        for (path, names) in inputs.sorted(by: { $0.0 < $1.0 }) {
            writer.separator(&isFirst)
            writer.raw("(")
            writer.plain(path)
            writer.raw(",[")
            var isFirstName = true
            for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
                writer.separator(&isFirstName)
                writer.plain(name)
            }
            writer.raw("])")
        }
        writer.raw("],[")
        isFirst = true
        for source in inputSources.sorted() {
            writer.separator(&isFirst)
            writer.plain(store.print(source))
        }
        writer.raw("],")
        writer.string(system.bytes)
        writer.raw(",")
        writer.string(builder.bytes)
        writer.raw(",[")
        isFirst = true
        for argument in arguments {
            writer.separator(&isFirst)
            writer.string(argument.bytes)
        }
        writer.raw("],[")
        isFirst = true
        for (key, value) in environment.sorted(by: { $0.key < $1.key }) {
            writer.separator(&isFirst)
            writer.raw("(")
            writer.string(key.bytes)
            writer.raw(",")
            let isMasked = masksOutputs && outputs[key.description] != nil
            writer.string(isMasked ? [] : value.bytes)
            writer.raw(")")
        }
        writer.raw("])")
        return writer.bytes
    }
}

private struct ATermWriter {
    var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(4096) }

    mutating func raw(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func separator(_ isFirst: inout Bool) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
    }

    /// A string that needs no escapes.
    mutating func plain(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: text.utf8)
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func string(_ text: [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case UInt8(ascii: "\n"): bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "n")])
            case UInt8(ascii: "\r"): bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "r")])
            case UInt8(ascii: "\t"): bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "t")])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

// MARK: Reading

extension Derivation {
    /// Reads the text of a `.drv` file.
    /// - Throws: `StoreError.badDerivation` with the offset of the first wrong byte.
    public init(aterm text: [UInt8], name: String, in store: StoreDirectory) throws(StoreError) {
        var reader = ATermReader(bytes: text)
        self.init(name: name)
        try reader.expect("Derive(")
        for (name, path, algorithm, digest) in try reader.list({ (reader) throws(StoreError) in
            try reader.expect("(")
            let name = try reader.string()
            try reader.expect(",")
            let path = try reader.string()
            try reader.expect(",")
            let algorithm = try reader.string()
            try reader.expect(",")
            let digest = try reader.string()
            try reader.expect(")")
            return (name, path, algorithm, digest)
        }) {
            outputs[try Self.outputName(name)] = try Self.output(
                path: path, algorithm: algorithm, digest: digest, in: store)
        }
        // A fixed output's path follows from both names, which together may be too long.
        for output in outputs.keys { _ = try self.path(of: output, in: store) }
        try reader.expect(",")
        for (path, names) in try reader.list({ (reader) throws(StoreError) in
            try reader.expect("(")
            let path = try reader.string()
            try reader.expect(",")
            let names = try reader.strings()
            try reader.expect(")")
            return (path, names)
        }) {
            var outputs: Set<String> = []
            for name in names { outputs.insert(try Self.outputName(name)) }
            inputDerivations[try store.parse(path.description)] = outputs
        }
        try reader.expect(",")
        for source in try reader.strings() { inputSources.insert(try store.parse(source.description)) }
        try reader.expect(",")
        system = try reader.string()
        try reader.expect(",")
        builder = try reader.string()
        try reader.expect(",")
        arguments = try reader.strings()
        try reader.expect(",")
        for (key, value) in try reader.list({ (reader) throws(StoreError) in
            try reader.expect("(")
            let key = try reader.string()
            try reader.expect(",")
            let value = try reader.string()
            try reader.expect(")")
            return (key, value)
        }) {
            environment[key] = value
        }
        try reader.expect(")")
        try reader.expectEnd()
    }

    /// Outputs' names are written without escapes, so that one with a quote in it would be read as something else.
    private static func outputName(_ name: ByteString) throws(StoreError) -> String {
        try StorePath.check(name: name.description)
        return name.description
    }

    private static func output(
        path: ByteString, algorithm: ByteString, digest: ByteString, in store: StoreDirectory
    ) throws(StoreError) -> Output {
        if algorithm.isEmpty {
            return path.isEmpty ? .deferred : .inputAddressed(try store.parse(path.description))
        }
        var named = Substring(algorithm.description)
        var method = IngestionMethod.flat
        if named.hasPrefix("r:") {
            method = .recursive
            named = named.dropFirst(2)
        }
        guard let function = HashAlgorithm(rawValue: String(named)) else {
            throw StoreError(.badDerivation, "unknown hash algorithm '\(named)' in derivation")
        }
        return .fixed(
            ContentAddress(method: method, hash: try Hash(parsing: digest.description, algorithm: function)))
    }
}

private struct ATermReader {
    let bytes: [UInt8]
    var at = 0

    func fail(_ reason: String) -> StoreError {
        StoreError(.badDerivation, "error parsing derivation at offset \(at): \(reason)")
    }

    mutating func expect(_ text: StaticString) throws(StoreError) {
        let count = text.utf8CodeUnitCount
        guard at + count <= bytes.count else { throw fail("expected '\(text)'") }
        for offset in 0..<count where bytes[at + offset] != text.utf8Start[offset] { throw fail("expected '\(text)'") }
        at += count
    }

    func expectEnd() throws(StoreError) {
        guard at == bytes.count else { throw fail("text after the end") }
    }

    mutating func string() throws(StoreError) -> ByteString {
        try expect("\"")
        var result: [UInt8] = []
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""): return ByteString(result)
            case UInt8(ascii: "\\"):
                guard at < bytes.count else { throw fail("the string does not end") }
                let escaped = bytes[at]
                at += 1
                switch escaped {
                case UInt8(ascii: "n"): result.append(UInt8(ascii: "\n"))
                case UInt8(ascii: "r"): result.append(UInt8(ascii: "\r"))
                case UInt8(ascii: "t"): result.append(UInt8(ascii: "\t"))
                default: result.append(escaped)
                }
            default: result.append(byte)
            }
        }
        throw fail("the string does not end")
    }

    mutating func list<Element>(
        _ element: (inout ATermReader) throws(StoreError) -> Element
    ) throws(StoreError) -> [Element] {
        try expect("[")
        var elements: [Element] = []
        guard at < bytes.count else { throw fail("the list does not end") }
        if bytes[at] == UInt8(ascii: "]") {
            at += 1
            return elements
        }
        while true {
            elements.append(try element(&self))
            guard at < bytes.count else { throw fail("the list does not end") }
            at += 1
            if bytes[at - 1] == UInt8(ascii: "]") { return elements }
            guard bytes[at - 1] == UInt8(ascii: ",") else { throw fail("expected ',' or ']'") }
        }
    }

    mutating func strings() throws(StoreError) -> [ByteString] {
        try list { (reader) throws(StoreError) in try reader.string() }
    }
}
