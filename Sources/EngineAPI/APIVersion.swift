import EngineModel

extension APIVersion {
    /// Takes the version off the front of a path: `/v1.50/info` gives 1.50 and `/info`.
    /// - Returns: no version when the path begins with none.
    /// - Throws: `HTTPFailure` when the version is not served.
    package static func split(_ path: String) throws(HTTPFailure) -> (version: APIVersion?, path: Substring) {
        guard path.hasPrefix("/v") else { return (nil, path[...]) }
        let rest = path.dropFirst(2)
        let end = rest.firstIndex(of: "/") ?? rest.endIndex
        guard let version = APIVersion(rest[..<end]) else { return (nil, path[...]) }
        if version < minimum {
            throw HTTPFailure(
                .badRequest,
                "client version \(version) is too old. Minimum supported API version is \(minimum), please upgrade your "
                    + "client to a newer version")
        }
        if version > current {
            throw HTTPFailure(
                .badRequest, "client version \(version) is too new. Maximum supported API version is \(current)")
        }
        return (version, rest[end...])
    }
}
