/// `dhow nix …`, and Nix's tools by their own names: another program's work, which this one becomes.
///
/// The evaluator is not linked into `dhow`, whose daily verbs must start in a few milliseconds.
enum NixTools {
    private static let names: Set = ["nix-build", "nix-instantiate", "nix-store", "nix-env", "nix-hash"]
    private static let work = "evaluates Nix"

    /// Becomes `dhow-nix` if that is meant.
    /// - Returns: an exit status when it is meant and cannot be; `nil` when something else is.
    static func run(_ arguments: [String]) -> Int32? {
        let name = arguments.first.map { String($0.split(separator: "/").last ?? "") } ?? ""
        if names.contains(name) { return Successor.become("dhow-nix", called: name, what: work) }
        guard arguments.dropFirst().first == "nix" else { return nil }
        return Successor.become("dhow-nix", called: "dhow-nix", skipping: 1, what: work)
    }
}
