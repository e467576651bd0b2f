/// Why a text is no JSON, or a JSON value is not of the type that was asked for.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// The text breaks RFC 8259; the offset is in bytes.
        case syntax(offset: Int)
        /// The value is of another type, or out of range.
        case type
        /// A required member is missing.
        case missing
    }

    public var code: Code
    /// What is wrong, without the place.
    public var reason: String
    /// Where in the document, as in `process.args[0]`; empty at the top.
    public var path: String

    public init(code: Code, reason: String, path: String = "") {
        self.code = code
        self.reason = reason
        self.path = path
    }

    public var description: String {
        if case .syntax(let offset) = code { return "invalid JSON at byte \(offset): \(reason)" }
        return path.isEmpty ? reason : "\(path): \(reason)"
    }

    /// The same error, one level further out.
    @usableFromInline func inside(_ component: String) -> JSONError {
        var outer = self
        if path.isEmpty {
            outer.path = component
        } else {
            outer.path = path.hasPrefix("[") ? component + path : component + "." + path
        }
        return outer
    }

    /// The error of a value that is of another type than `what`.
    public static func expected(_ what: String, got value: JSONValue) -> JSONError {
        JSONError(code: .type, reason: "expected \(what), found \(value.kind)")
    }
}
