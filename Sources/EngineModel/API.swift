/// The Engine API's version, as in the path `/v1.50/containers/json`.
public struct APIVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    public var major: Int
    public var minor: Int

    public init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// The version written as `1.50`, or `nil` when `text` is no version.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let major = Int(parts[0]), let minor = Int(parts[1]), major >= 0, minor >= 0 else {
            return nil
        }
        self.init(major: major, minor: minor)
    }

    public static func < (left: Self, right: Self) -> Bool { (left.major, left.minor) < (right.major, right.minor) }
    public var description: String { "\(major).\(minor)" }

    /// What the server speaks.
    public static let current = APIVersion(major: 1, minor: 50)
    /// The oldest that a client may ask for: skopeo's `docker-daemon:` asks for 1.22 in Debian 12, and does nothing that
    /// has changed since.
    public static let minimum = APIVersion(major: 1, minor: 22)
}
