import Commands
import EngineClient
import Glibc

if let status = NixTools.run(CommandLine.arguments) { exit(status) }
if let status = CopyTools.run(CommandLine.arguments) { exit(status) }
EventLoopExecutor.exit { await Program.run(CommandLine.arguments) }
