import Kernel
import NixLanguage

/// A repository on this machine, and `git` to work on it.
struct GitRepository {
    let directory: String
    private let environment: [String]?

    init(_ directory: String, _ environment: [String]?) {
        self.directory = directory
        self.environment = environment
    }

    func output(_ arguments: [String]) throws -> [UInt8] { try Self.run(arguments, in: directory, environment) }

    /// The first line of what it prints.
    func line(_ arguments: String...) throws -> String {
        let text = String(decoding: try output(arguments), as: UTF8.self)
        return text.split(separator: "\n").first.map(String.init) ?? ""
    }

    func succeeds(_ arguments: String...) throws -> Bool {
        try Self.start(arguments, in: directory, environment).status.code == 0
    }

    static func run(_ arguments: [String], in directory: String, _ environment: [String]?) throws -> [UInt8] {
        let output = try start(arguments, in: directory, environment)
        guard output.status.code == 0 else {
            throw HostError(
                .failed,
                "program 'git' failed with exit code \(output.status.code): 'git \(arguments.joined(separator: " "))' "
                    + "in '\(directory)': \(output.standardErrorText.prefix(2000))")
        }
        return output.standardOutput
    }

    private static func start(
        _ arguments: [String], in directory: String, _ environment: [String]?
    ) throws -> Subprocess.Output {
        let path = environment?.first { $0.hasPrefix("PATH=") }?.dropFirst(5) ?? "/usr/local/bin:/usr/bin:/bin"
        let programs = path.split(separator: ":").map { String($0) + "/git" }
        guard let program = programs.first(where: { FileDescriptor.currentDirectory.exists($0) }) else {
            throw HostError(.failed, "fetching Git repositories needs the program 'git', which is not in PATH")
        }
        var configuration = Subprocess.Configuration(
            program, arguments: ["git", "-C", directory] + arguments, environment: environment)
        configuration.workingDirectory = "/"
        // A list of a large tree's files is longer than the usual limit.
        return try Subprocess.run(configuration, outputLimit: 1 << 28)
    }
}
