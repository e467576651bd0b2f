import NixStore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

exit(
    Program(
        (0..<Int(CommandLine.argc)).compactMap { index in
            CommandLine.unsafeArgv[index].map {
                ByteString(Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))))
            }
        }
    ).run())
