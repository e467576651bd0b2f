import CKernel
import CopyCommands
import Glibc

// Many threads pass buffers on to one another: with few arenas, memory that is freed in one serves the others.
ckernel_limit_arenas(2)
exit(await Program.run(CommandLine.arguments))
