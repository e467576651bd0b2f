import JSON

/// The body of every answer with a status of 400 and above.
public struct ErrorResponse: JSONRecord {
    public var message = ""
    public var unknownMembers = JSONObject()

    public init() {}
    public init(message: String) { self.message = message }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("message", &message)
    }
}

/// The answer to requests that make something and only say what.
public struct IDResponse: JSONRecord {
    public var id = ""
    public var unknownMembers = JSONObject()

    public init() {}
    public init(id: String) { self.id = id }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Id", &id)
    }
}

/// A line of a progress stream, as image load, import and pull send them.
public struct ProgressMessage: JSONRecord {
    public var stream = ""
    public var status = ""
    public var progressDetail: Detail?
    public var progress = ""
    public var id = ""
    public var errorDetail: Failure?
    public var error = ""
    public var aux: JSONValue?
    public var unknownMembers = JSONObject()

    public init() {}

    public static func stream(_ text: String) -> Self {
        var message = Self()
        message.stream = text
        return message
    }

    public static func status(_ text: String, id: String = "") -> Self {
        var message = Self()
        message.status = text
        message.id = id
        return message
    }

    /// A failure after the response's status has been sent.
    public static func failure(_ text: String) -> Self {
        var message = Self()
        var detail = Failure()
        detail.message = text
        message.errorDetail = detail
        message.error = text
        return message
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.omitEmpty("stream", &stream)
        json.omitEmpty("status", &status)
        json.optional("progressDetail", &progressDetail)
        json.omitEmpty("progress", &progress)
        json.omitEmpty("id", &id)
        json.optional("errorDetail", &errorDetail)
        json.omitEmpty("error", &error)
        json.optional("aux", &aux)
    }

    public struct Detail: JSONRecord {
        public var current: Int64 = 0
        public var total: Int64 = 0
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("current", &current)
            json.omitEmpty("total", &total)
        }
    }

    public struct Failure: JSONRecord {
        public var code = 0
        public var message = ""
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("code", &code)
            json.omitEmpty("message", &message)
        }
    }
}
