import CommandLineKit
import EngineClient
import EngineModel
import Glibc
import JSON
import OCI

extension Commands {
    static var export: Command<Action> {
        var command = Command<Action>(
            "export", "Export a container's filesystem as a tar archive", usage: "[OPTIONS] CONTAINER",
            arguments: .exactly(1)
        ) { flags in
            let output = flags.string("output", "o", "Write to a file")
            return { context, arguments in
                try Download.refuseTerminal(output.value, verb: "export")
                let stream = try await context.client().stream(
                    EngineClient.Request("GET", "/containers/\(arguments[0])/export"))
                try await Download.save(stream, to: output.value)
            }
        }
        command.spellings = ["% container export", "% export"]
        return command
    }

    static var commit: Command<Action> {
        var command = Command<Action>(
            "commit", "Create a new image from a container's changes",
            usage: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]", arguments: .between(1, 2)
        ) { flags in
            let author = flags.string("author", "a", "Who made it")
            let change = flags.strings("change", "c", "Apply an instruction of a Dockerfile")
            let message = flags.string("message", "m", "What it is about")
            let pause = flags.bool("pause", "p", default: true, "Pause the container meanwhile")
            return { context, arguments in
                var query = [("container", arguments[0])]
                query += arguments.count > 1 ? try ImageName.query(arguments[1]) : [("repo", ""), ("tag", "")]
                query += [("comment", message.value), ("author", author.value)]
                query += change.value.map { ("changes", $0) }
                if !pause.value { query.append(("pause", "0")) }
                let response = try await context.call("POST", "/commit", query, body: [:], as: IDResponse.self)
                Output.print(response.id)
            }
        }
        command.spellings = ["% container commit", "% commit"]
        return command
    }
}

/// An answer that goes to a file or to standard output.
enum Download {
    static func refuseTerminal(_ path: String, verb: String) throws {
        if path.isEmpty, Terminal.isTerminal(1) {
            throw ExitStatus(
                1,
                "cowardly refusing to \(verb == "save" ? "save" : "export") to a terminal. Use the -o flag or redirect")
        }
    }

    /// Writes all of it. A file appears under its name only when it is complete.
    static func save(_ stream: ResponseStream, to path: String) async throws {
        if path.isEmpty {
            while let buffer = try await stream.next() {
                buffer.withUnsafeReadableBytes { _ = Output.write($0, to: 1) }
            }
            return
        }
        var info = stat()
        // A device or a pipe is written to; only a regular file is replaced.
        let isSpecial = stat(path, &info) == 0 && info.st_mode & S_IFMT != S_IFREG
        let target = isSpecial ? path : "\(path).tmp-\(getpid())"
        let file = open(target, isSpecial ? O_WRONLY | O_CLOEXEC : O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw ExitStatus(1, "failed to save: open \(path): \(File.lastError().lowercased())") }
        var isComplete = false
        defer { if !isComplete, !isSpecial { unlink(target) } }
        defer { close(file) }
        while let buffer = try await stream.next() {
            guard buffer.withUnsafeReadableBytes({ Output.write($0, to: file) }) else {
                throw ExitStatus(1, "failed to save: write \(path): \(File.lastError().lowercased())")
            }
        }
        if !isSpecial, Glibc.rename(target, path) != 0 {
            throw ExitStatus(1, "failed to save: rename \(path): \(File.lastError().lowercased())")
        }
        isComplete = true
    }
}

/// Names of images on the command line.
enum ImageName {
    /// The query parameters for `repository:tag`: the repository with its host, and `latest` for no tag.
    static func query(_ text: String) throws(CommandLineError) -> [(String, String)] {
        let reference = try parse(text)
        if let digest = reference.digest { return [("repo", "\(reference.name)@\(digest)")] }
        return [("repo", reference.name), ("tag", reference.tag ?? ImageReference.defaultTag)]
    }

    private static func parse(_ text: String) throws(CommandLineError) -> ImageReference {
        do throws(OCIError) { return try ImageReference(text) } catch {
            throw CommandLineError(
                "Error parsing reference: \(goQuoted(text)) is not a valid repository/tag: \(error.message)")
        }
    }
}
