/// The lines `Name: value` that binary caches describe things with.
struct KeyValueText {
    /// The largest of these that makes sense: thousands of references fit.
    static let sizeLimit = 4 << 20

    /// In the order of the text.
    let pairs: [(name: String, value: String)]

    /// - Parameter what: what it is and where it came from, for errors.
    init(_ bytes: [UInt8], of what: String) throws(StoreError) {
        guard bytes.count <= Self.sizeLimit else {
            throw StoreError(
                .badCache, "\(what) is corrupt: it has \(bytes.count) bytes, more than \(Self.sizeLimit) make no sense")
        }
        var pairs: [(name: String, value: String)] = []
        for (number, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            if line.isEmpty { continue }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
                colon + 1 < line.endIndex, line[colon + 1] == 0x20,
                let name = String(validatingUTF8Bytes: line[..<colon]),
                let value = String(validatingUTF8Bytes: line[(colon + 2)...])
            else {
                throw StoreError(.badCache, "\(what) is corrupt: line \(number + 1) is not of the form 'Name: value'")
            }
            pairs.append((name, value))
        }
        self.pairs = pairs
    }

    /// The value of what may be there once.
    func value(_ name: String, of what: String) throws(StoreError) -> String? {
        let found = pairs.filter { $0.name == name }
        guard found.count <= 1 else { throw StoreError(.badCache, "\(what) is corrupt: '\(name)' is there twice") }
        return found.first?.value
    }
}

extension String {
    /// - Returns: `nil` when the bytes are not UTF-8 or hold control characters.
    init?(validatingUTF8Bytes bytes: some Collection<UInt8>) {
        guard !bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }),
            let text = String(validating: Array(bytes), as: UTF8.self)
        else { return nil }
        self = text
    }
}
