import CommandLineKit
import Credentials
import Glibc
import ImageTransports
import JSON

/// What a command does with its arguments.
typealias Action = (Context, [String]) async throws -> Void

/// What all commands share.
struct Context {
    /// `skopeo`, or `dhow`.
    let programName: String
    let environment: [String: String]
    /// What stood before the command.
    let globals: GlobalFlags.Values
}

/// The `dhow-copy` program: skopeo's verbs, under its name or as verbs of `dhow`.
public enum Program {
    /// The version of skopeo whose behaviour this is.
    static let skopeoVersion = "1.22.2"

    /// Runs a command line and returns the status to exit with.
    /// - Parameter arguments: with the program's name first.
    public static func run(_ arguments: [String]) async -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        let called = arguments.first.map { String($0.split(separator: "/").last ?? "") } ?? ""
        let name = called == "skopeo" ? called : "dhow"
        do {
            try await dispatch(name, Array(arguments.dropFirst()))
            return 0
        } catch let error as CommandLineError {
            Output.error(error.message)
            return error.exitStatus
        } catch {
            // As skopeo's log prints what ends it.
            Output.error("FATA[0000] \(error)")
            return 1
        }
    }

    private static func dispatch(_ name: String, _ arguments: [String]) async throws {
        var tree = CommandTree<Action>(
            name: name,
            commands: [
                Commands.copy, Commands.delete, Commands.inspect, Commands.listTags,
                Commands.login, Commands.logout,
                Commands.manifestDigest, Commands.sync,
            ])
        tree.summary = "Various operations with container images and container image registries"
        tree.flagErrorStatus = 1
        var globals: GlobalFlags?
        tree.globalFlags = { globals = GlobalFlags($0) }
        let (_, rest) = try tree.parseGlobal(arguments)
        guard let given = globals else { return }
        if given.version.value, rest.isEmpty {
            Output.write(
                name == "skopeo"
                    ? "skopeo version \(skopeoVersion)\n" : "Dhow's image copier, as skopeo \(skopeoVersion)\n")
            return
        }
        // Help texts declare the flags anew; what was parsed must stay.
        tree.globalFlags = { _ = GlobalFlags($0) }
        switch try tree.resolve(rest, warn: { Output.error($0) }) {
        case .help(let text): Output.write(text)
        case .run(let action, let arguments, _, _):
            let context = Context(programName: name, environment: environmentVariables(), globals: given.values)
            try await Interruption(after: given.timeout.value).run { try await action(context, arguments) }
        }
    }

    private static func environmentVariables() -> [String: String] {
        var result: [String: String] = [:]
        var at = environ
        while let entry = at.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                result[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            at += 1
        }
        return result
    }
}

/// Standard output and error.
enum Output {
    static func write(_ text: String) { write(Array(text.utf8), to: 1) }
    static func error(_ text: String) { write(Array("\(text)\n".utf8), to: 2) }

    static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                return
            }
        }
    }
}
