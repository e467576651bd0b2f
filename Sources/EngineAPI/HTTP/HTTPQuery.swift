/// The query of a request, read as dockerd reads it.
public struct HTTPQuery: Sendable, Equatable {
    private var items: [(name: String, value: String)] = []

    public init(_ text: Substring) throws(HTTPFailure) {
        for item in text.split(separator: "&", omittingEmptySubsequences: true) {
            let equals = item.firstIndex(of: "=")
            guard let name = percentDecoded(equals.map { item[..<$0] } ?? item, plusIsSpace: true),
                let value = percentDecoded(equals.map { item[item.index(after: $0)...] } ?? "", plusIsSpace: true)
            else { throw HTTPFailure(.badRequest, "the query item \"\(item)\" has an invalid percent escape") }
            items.append((name, value))
        }
    }

    public static func == (left: Self, right: Self) -> Bool {
        left.items.elementsEqual(right.items) { $0 == $1 }
    }

    /// The first value of `name`, or `nil` when it is not there. An empty value counts as there.
    public subscript(name: String) -> String? { items.first { $0.name == name }?.value }

    /// The first value of `name` unless missing or empty.
    public func text(_ name: String) -> String? {
        guard let value = self[name], !value.isEmpty else { return nil }
        return value
    }

    /// Every value of `name`, in order.
    public func all(_ name: String) -> [String] { items.filter { $0.name == name }.map(\.value) }

    /// A flag: false when missing or one of the words that dockerd takes for no, true for anything else.
    public func flag(_ name: String, default standard: Bool = false) -> Bool {
        guard let value = self[name] else { return standard }
        switch value.lowercased().trimmed {
        case "", "0", "no", "false", "none": return false
        default: return true
        }
    }

    /// A whole number; `nil` when missing or empty.
    public func integer(_ name: String) throws(HTTPFailure) -> Int? {
        guard let value = text(name) else { return nil }
        guard let number = Int(value) else {
            throw HTTPFailure(.badRequest, "the query parameter \(name)=\"\(value)\" is no whole number")
        }
        return number
    }
}

extension String {
    /// Without white space at either end.
    var trimmed: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[first...last])
    }
}
