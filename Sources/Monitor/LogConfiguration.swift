import JSON

/// Where a container's output goes.
public struct LogConfiguration: JSONRecord {
    public enum Driver: String, JSONConvertible {
        /// Docker's `json-file`: one JSON object a line.
        case jsonFile = "json-file"
        /// The same lines, always rotated (20 MB × 5 unless told) and compressed.
        case local
        case none
        case journald
        case syslog
    }

    public var driver = Driver.jsonFile
    /// The log file of `json-file` and `local`; rotated files are `path.1`, `path.2`, … with `.gz` when compressed.
    public var path: String?
    /// Rotate before the file would pass this many bytes; 0: never (`local`: 20 MB).
    public var maxSize: Int64 = 0
    /// How many files to keep, the current one included; 0: one (`local`: 5).
    public var maxFiles: Int = 0
    /// Whether rotated files are compressed with gzip; `nil`: the driver's default.
    public var compress: Bool?
    /// The tag, its template already expanded by the engine.
    public var tag: String?
    /// Extra attributes (from the `labels`, `env` … options) written with every line (`attrs`) or as journal fields.
    public var attributes: [String: String] = [:]
    /// The driver's other options as Docker names them (`syslog-address`, `syslog-facility`, `syslog-format`).
    public var options: [String: String] = [:]

    public var unknownMembers = JSONObject()
    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("driver", &driver)
        json.optional("path", &path)
        json.omitEmpty("maxSize", &maxSize)
        json.omitEmpty("maxFiles", &maxFiles)
        json.optional("compress", &compress)
        json.optional("tag", &tag)
        json.omitEmpty("attributes", &attributes)
        json.omitEmpty("options", &options)
    }
}
