import JSON
import OCI

/// The answer to `POST /auth`.
public struct AuthResponse: JSONRecord {
    public var status = ""
    /// To be kept instead of the password.
    public var identityToken = ""
    public var unknownMembers = JSONObject()

    public init() {}

    public init(status: String, identityToken: String) {
        self.status = status
        self.identityToken = identityToken
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Status", &status)
        json.always("IdentityToken", &identityToken)
    }
}

/// The answer to `GET /distribution/{name}/json`.
public struct DistributionInspect: JSONRecord {
    public var descriptor = Descriptor()
    public var platforms: [Platform] = []
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Descriptor", &descriptor)
        json.always("Platforms", &platforms)
    }
}

/// One element of the answer to `GET /images/search`.
public struct ImageSearchResult: JSONRecord {
    public var starCount = 0
    public var isOfficial = false
    public var name = ""
    public var isAutomated = false
    public var description = ""
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("star_count", &starCount)
        json.always("is_official", &isOfficial)
        json.always("name", &name)
        json.always("is_automated", &isAutomated)
        json.always("description", &description)
    }
}

/// A manifest or an index in a registry: the answer to `GET /dhow/manifests/{name}`.
public struct RegistryManifest: JSONRecord {
    public var descriptor = Descriptor()
    /// The document, byte for byte, in base 64.
    public var raw = ""
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Descriptor", &descriptor)
        json.always("Raw", &raw)
    }
}
