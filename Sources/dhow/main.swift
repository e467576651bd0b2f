import Commands
import Glibc

if let status = NixTools.run(CommandLine.arguments) { exit(status) }
exit(await Program.run(CommandLine.arguments))
