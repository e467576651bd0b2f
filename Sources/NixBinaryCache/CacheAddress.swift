import NixStore
import Registry

/// Where a binary cache is and how it is to be used: `https://host/path`, `file:///path`, with parameters after `?`.
public struct CacheAddress: Sendable, CustomStringConvertible {
    enum Place: Sendable {
        case directory(String)
        case web(WebAddress)
    }

    /// Without parameters and without a slash at the end: as Nix names it.
    public let description: String
    public private(set) var parameters: [String: String] = [:]
    let place: Place

    /// Whether `text` is meant to be such an address.
    public static func isOne(_ text: String) -> Bool {
        ["http://", "https://", "file://"].contains { text.hasPrefix($0) }
    }

    /// - Throws: `StoreError.badCache` when it is none, or a parameter is not known.
    public init(_ text: String) throws(StoreError) {
        let question = text.firstIndex(of: "?")
        var bare = String(question.map { text[..<$0] } ?? text[...])
        if let question {
            for pair in text[text.index(after: question)...].split(separator: "&") {
                let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, Self.known.contains(String(parts[0])) else {
                    throw StoreError(
                        .badCache,
                        "the binary cache's address '\(text)' has the parameter '\(parts[0])', which is not known; known are "
                            + Self.known.sorted().joined(separator: ", "))
                }
                parameters[String(parts[0])] = Self.decoded(parts[1])
            }
        }
        while bare.hasSuffix("/"), bare != "file:///" { bare.removeLast() }
        description = bare
        if bare.hasPrefix("file://") {
            let path = String(bare.dropFirst(7))
            guard path.hasPrefix("/") else {
                throw StoreError(.badCache, "the binary cache's address '\(text)' needs an absolute path: file:///path")
            }
            place = .directory(path)
        } else if let address = WebAddress(bare) {
            place = .web(address)
        } else {
            throw StoreError(.badCache, "'\(text)' is no address of a binary cache: https://…, http://… or file:///…")
        }
    }

    private static let known: Set<String> = [
        "compression", "compression-level", "parallel-compression", "secret-key", "write-nar-listing", "priority",
        "want-mass-query", "trusted", "store",
    ]

    /// Whether a parameter is set to true.
    func isSet(_ name: String) -> Bool { ["1", "true", "yes"].contains(parameters[name] ?? "") }

    private static func decoded(_ text: Substring) -> String {
        var output: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                output.append(value)
                rest = rest.dropFirst(2)
            } else {
                output.append(byte)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
