import CopyCommands
import Glibc

exit(await Program.run(CommandLine.arguments))
