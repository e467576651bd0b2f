import CommandLineKit
import EngineClient
import EngineModel
import JSON

extension Commands {
    static var logs: Command<Action> {
        var command = Command<Action>(
            "logs", "Fetch the logs of a container", usage: "[OPTIONS] CONTAINER", arguments: .exactly(1)
        ) { flags in
            let details = flags.bool("details", "Show the attributes that the container's options add")
            let follow = flags.bool("follow", "f", "Go on with what is still to come")
            let since = flags.string("since", "Show what is newer than a time or an age (42m)")
            let until = flags.string("until", "Show what is older than a time or an age (42m)")
            let tail = flags.string("tail", "n", default: "all", "Show this many lines of the end")
            let timestamps = flags.bool("timestamps", "t", "Show when each line was written")
            return { context, arguments in
                let inspect = try await context.call(
                    "GET", "/containers/\(arguments[0])/json", as: ContainerInspect.self)
                var query: [(String, String)] = [("stderr", "1"), ("stdout", "1")]
                for (name, flag) in [("since", since), ("until", until)] where !flag.value.isEmpty {
                    do throws(FlagError) {
                        query.append((name, try Moment.apiValue(flag.value)))
                    } catch {
                        throw ExitStatus(1, "invalid value for \(goQuoted(name)): \(error.message)")
                    }
                }
                if details.value { query.append(("details", "1")) }
                if follow.value { query.append(("follow", "1")) }
                if timestamps.value { query.append(("timestamps", "1")) }
                query.append(("tail", tail.value))
                let stream = try await context.client().stream(
                    EngineClient.Request("GET", "/containers/\(inspect.id)/logs", query))
                var frames = FrameReader()
                while let buffer = try await stream.next() {
                    if inspect.config.tty {
                        buffer.withUnsafeReadableBytes { _ = Output.write($0, to: 1) }
                    } else {
                        try frames.write(buffer)
                    }
                }
            }
        }
        command.spellings = ["% container logs", "% logs"]
        return command
    }
}
