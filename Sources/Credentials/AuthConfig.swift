import JSON

/// Docker's form of a credential: the body of `POST /auth`, and, in base 64, the header `X-Registry-Auth`.
public struct AuthConfig: JSONRecord {
    public var username = ""
    public var password = ""
    /// `username:password` in base 64, instead of the two.
    public var auth = ""
    public var email = ""
    public var serverAddress = ""
    public var identityToken = ""
    public var registryToken = ""
    public var unknownMembers = JSONObject()

    public init() {}

    public init(_ credential: Credential?, serverAddress: String) {
        self.serverAddress = serverAddress
        switch credential {
        case .password(let username, let password): (self.username, self.password) = (username, password)
        case .identityToken(let token): identityToken = token
        case .registryToken(let token): registryToken = token
        case nil: break
        }
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.omitEmpty("username", &username)
        json.omitEmpty("password", &password)
        json.omitEmpty("auth", &auth)
        json.omitEmpty("email", &email)
        json.omitEmpty("serveraddress", &serverAddress)
        json.omitEmpty("identitytoken", &identityToken)
        json.omitEmpty("registrytoken", &registryToken)
    }

    /// The credential in it, or `nil` for an empty one, which is how clients say that they have none.
    public var credential: Credential? {
        if !registryToken.isEmpty { return .registryToken(registryToken) }
        if !identityToken.isEmpty { return .identityToken(identityToken) }
        if !username.isEmpty { return .password(username: username, password: password) }
        return decoded
    }

    /// Whether there is an `auth` that is no user name and password.
    var hasUnreadableAuth: Bool { !auth.isEmpty && decoded == nil }

    private var decoded: Credential? {
        guard let bytes = Base64.decode(auth) else { return nil }
        let parts = String(decoding: bytes, as: UTF8.self).split(
            separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else { return nil }
        // Docker of long ago padded the password with NUL bytes.
        var password = parts[1]
        while password.last == "\0" { password = password.dropLast() }
        return .password(username: String(parts[0]), password: String(password))
    }

    /// The value of an `X-Registry-Auth` header.
    public var header: String { Base64.encode(json.bytes(), isURLSafe: true) }

    /// - Throws: `JSONError` when the header is no JSON in base 64.
    public init(header: String) throws(JSONError) {
        if header.isEmpty {
            self.init()
            return
        }
        guard let bytes = Base64.decode(header) else {
            throw JSONError(code: .type, reason: "must be a JSON object in base 64")
        }
        let value = try JSONValue(parsing: bytes)
        self = value.isNull ? Self() : try Self(json: value)
    }
}
