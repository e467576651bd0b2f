/// One path that differs between two states of a tree, as `docker diff` lists it.
public struct TreeChange: Sendable, Hashable {
    /// The numbers are those of Docker's API.
    public enum Kind: Int, Sendable {
        case modified = 0
        case added = 1
        case deleted = 2
    }

    public var kind: Kind
    /// Relative to the tree's top, without a leading slash.
    public var path: [UInt8]

    public init(_ kind: Kind, path: [UInt8]) {
        self.kind = kind
        self.path = path
    }

    public init(_ kind: Kind, path: String) { self.init(kind, path: Array(path.utf8)) }
}
