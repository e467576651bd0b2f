import JSON

/// How a container's root file system comes to be: mounted by the child, inside its own mount namespace, so that it
/// disappears with the last of the container's processes.
public enum RootMount: JSONConvertible, Equatable {
    case overlay(Overlay)
    /// A directory, bound recursively.
    case bind(String)

    public struct Overlay: JSONRecord {
        /// Absolute paths, the top layer first; at least one.
        public var lowerDirectories: [String] = []
        /// Absent together with `workDirectory`: the file system is read-only.
        public var upperDirectory: String?
        public var workDirectory: String?
        /// More of overlay's own options, as `metacopy=on`.
        public var options: [String] = []

        public var unknownMembers = JSONObject()
        public init() {}

        public mutating func members(_ json: inout JSONMembers) {
            json.required("lowerDirectories", &lowerDirectories)
            json.optional("upperDirectory", &upperDirectory)
            json.optional("workDirectory", &workDirectory)
            json.omitEmpty("options", &options)
        }
    }

    public init(json: JSONValue) throws(JSONError) {
        switch json["type"]?.string {
        case "overlay": self = .overlay(try Overlay(json: json["overlay"] ?? .null))
        case "bind": self = .bind(try String(json: json["path"] ?? .null))
        default: throw JSONError(code: .type, reason: "a root mount's type is \"overlay\" or \"bind\"", path: "type")
        }
    }

    public var json: JSONValue {
        switch self {
        case .overlay(let overlay): ["type": "overlay", "overlay": overlay.json]
        case .bind(let path): ["type": "bind", "path": .string(path)]
        }
    }
}
