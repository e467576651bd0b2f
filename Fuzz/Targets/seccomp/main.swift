import Engine
import Fuzzing
import OCI

@testable import ContainerRuntime

// A profile in Docker's format; what it asks for is compiled.
fuzz { bytes in
    guard let profile = try? SeccompProfile(parsing: String(decoding: bytes, as: UTF8.self)) else { return }
    let filter = profile.resolve(capabilities: ["CAP_SYS_ADMIN"], architecture: "amd64", kernel: (6, 1))
    _ = try? SeccompCompiler.compile(filter)
}
