import ContainerRuntime
import Glibc
import Kernel

// The order is for speed: a monitor must not touch what only the command line needs.
let words = CommandLine.arguments
switch words.dropFirst().first {
case "monitor" where words.count == 4 && words[2] == "--directory":
    try? SealedExecutable.ensure(arguments: words)
    MonitorProcess.run(directory: words[3])
case "init":
    InitProgram.run(arguments: Array(words.dropFirst(2)))
default:
    if words.first?.split(separator: "/").last == "docker-init" {
        InitProgram.run(arguments: Array(words.dropFirst()))
    }
    // Before any work, as this process ends with it.
    if words.contains(where: { $0 == "run" || $0 == "create" || $0 == "exec" }) {
        try? SealedExecutable.ensure(arguments: words)
    }
    exit(RuntimeProgram.run(words))
}
