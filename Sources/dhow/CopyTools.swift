/// `dhow copy` and its like, and `skopeo` by its name: another program's work, which this one becomes.
///
/// What speaks with registries is not linked into `dhow`, whose daily verbs must start in a few milliseconds.
enum CopyTools {
    private static let verbs: Set = ["copy", "delete", "list-tags", "manifest-digest", "sync"]

    /// Becomes `dhow-copy` if that is meant.
    /// - Returns: an exit status when it is meant and cannot be; `nil` when something else is.
    static func run(_ arguments: [String]) -> Int32? {
        let name = arguments.first.map { String($0.split(separator: "/").last ?? "") } ?? ""
        let rest = arguments.dropFirst()
        if name == "skopeo" { return become(name) }
        guard name == "dhow", let verb = rest.first else { return nil }
        if verbs.contains(verb) || verb == "inspect" && rest.dropFirst().contains(where: hasTransport) {
            return become(name)
        }
        return nil
    }

    private static func become(_ name: String) -> Int32 {
        Successor.become("dhow-copy", called: name, what: "copies images")
    }

    /// Whether an argument says where an image is, and so is no container's or local image's name.
    private static func hasTransport(_ argument: String) -> Bool {
        ["docker://", "docker-archive:", "docker-daemon:", "oci:", "oci-archive:", "dir:"].contains {
            argument.hasPrefix($0)
        }
    }
}
