import CommandLineKit

extension Commands {
    /// The verbs that another program has, `dhow-copy`, for help texts. `dhow` becomes it before it comes here, unless
    /// there are options in front of the verb.
    static var copyVerbs: [Command<Action>] {
        [
            ("copy", "Copy an image between registries, archives, directories and daemons", "SOURCE DESTINATION"),
            ("delete", "Delete an image from a registry", "docker://NAME"),
            ("list-tags", "List the tags of a repository in a registry", "docker://NAME"),
            ("manifest-digest", "Compute the digest of a manifest in a file", "FILE"),
            ("sync", "Copy all images of a repository or a directory", "--src KIND --dest KIND SOURCE DESTINATION"),
        ].map { name, summary, usage in
            var command = Command<Action>(name, summary, usage: "[OPTIONS] \(usage)", isInterspersed: false) { _ in
                { context, _ in
                    throw CommandLineError(
                        "\(context.programName): '\(name)' takes no options in front of it: write them behind it")
                }
            }
            command.details = "\(summary).\n\nSee docs/copying.md, or skopeo-\(name)(1), whose options it has."
            command.group = "Copying Commands"
            return command
        }
    }
}
