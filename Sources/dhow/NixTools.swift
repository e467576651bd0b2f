/// `dhow nix …`, and Nix's tools by their own names: another program's work, which this one becomes.
///
/// The evaluator is not linked into `dhow`, whose daily verbs must start in a few milliseconds.
enum NixTools {
    private static let names: Set = ["nix-instantiate", "nix-store", "nix-env", "nix-hash"]

    /// Becomes `dhow-nix` if that is meant.
    /// - Returns: an exit status when it is meant and cannot be; `nil` when something else is.
    static func run(_ arguments: [String]) -> Int32? {
        let name = arguments.first.map { String($0.split(separator: "/").last ?? "") } ?? ""
        let words: [String]
        if names.contains(name) {
            words = [name] + arguments.dropFirst()
        } else if arguments.dropFirst().first == "nix" {
            words = ["dhow-nix"] + arguments.dropFirst(2)
        } else {
            return nil
        }
        return Successor.become("dhow-nix", words, what: "evaluates Nix")
    }
}
