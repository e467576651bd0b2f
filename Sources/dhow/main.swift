import Commands
import Glibc

if let status = NixTools.run(CommandLine.arguments) { exit(status) }
if let status = CopyTools.run(CommandLine.arguments) { exit(status) }
exit(await Program.run(CommandLine.arguments))
