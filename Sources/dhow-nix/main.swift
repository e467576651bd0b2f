#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

exit(Program(arguments: CommandLine.arguments).run())
