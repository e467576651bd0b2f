import ContainerRuntime
import Kernel
import OCI
import Testing

@Suite struct SeccompTests {
    private func profile(_ change: (inout LinuxSeccomp) -> Void = { _ in }) -> LinuxSeccomp {
        var profile = LinuxSeccomp()
        profile.defaultAction = "SCMP_ACT_ERRNO"
        profile.architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
        profile.syscalls = [LinuxSyscall(names: ["read", "write", "no_such_call"], action: "SCMP_ACT_ALLOW")]
        change(&profile)
        return profile
    }

    private func withCache<Result>(_ body: (SeccompCache, String) throws -> Result) throws -> Result {
        let directory = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp")
        defer { try? FileDescriptor.currentDirectory.removeTree(directory) }
        return try body(SeccompCache(directory: directory + "/cache"), directory + "/cache")
    }

    @Test func compilesAndRemembers() throws {
        try withCache { cache, directory in
            let first = try cache.program(for: profile())
            #expect(!first.instructions.isEmpty && first.instructions.count % 8 == 0)
            let names = try FileDescriptor.currentDirectory.entries(of: directory).map(\.name)
            #expect(names.count == 1)
            #expect(try cache.program(for: profile()) == first)
            // Another profile is another entry.
            _ = try cache.program(for: profile { $0.defaultErrnoRet = 38 })
            #expect(try FileDescriptor.currentDirectory.entries(of: directory).count == 2)
        }
    }

    @Test func distrustsAnEntryOfAnotherText() throws {
        try withCache { cache, directory in
            let program = try cache.program(for: profile())
            let name = try #require(try FileDescriptor.currentDirectory.entries(of: directory).first?.name)
            try FileDescriptor.currentDirectory.writeFile(
                "\(directory)/\(name)", "something else\n12345678", creating: true)
            #expect(try cache.program(for: profile()) == program)
        }
    }

    @Test func worksWithoutAPlaceToRemember() throws {
        #expect(!(try SeccompCache(directory: "/proc/nowhere").program(for: profile()).instructions.isEmpty))
    }

    @Test(
        arguments: [
            Flaw("unknown action", { $0.defaultAction = "SCMP_ACT_DANCE" }),
            Flaw("unknown architecture", { $0.architectures = ["SCMP_ARCH_VAX"] }),
            Flaw("unknown flag", { $0.flags = ["SECCOMP_FILTER_FLAG_X"] }),
            Flaw(
                "unknown operator",
                {
                    $0.syscalls = [
                        LinuxSyscall(
                            names: ["kill"], action: "SCMP_ACT_ALLOW",
                            args: [LinuxSeccompArg(index: 0, value: 1, op: "LIKE")])
                    ]
                }
            ),
            Flaw(
                "does not exist; 0 to 5",
                {
                    $0.syscalls = [
                        LinuxSyscall(
                            names: ["kill"], action: "SCMP_ACT_ALLOW",
                            args: [LinuxSeccompArg(index: 6, value: 1, op: "SCMP_CMP_EQ")])
                    ]
                }
            ),
            Flaw("needs a listenerPath", { $0.syscalls = [LinuxSyscall(names: ["mkdir"], action: "SCMP_ACT_NOTIFY")] }),
            Flaw(
                "default action",
                {
                    $0.defaultAction = "SCMP_ACT_NOTIFY"
                    $0.syscalls = []
                }
            ),
            Flaw(
                "no meaning", { $0.syscalls = [LinuxSyscall(names: ["mkdir"], action: "SCMP_ACT_ALLOW", errnoRet: 1)] }),
        ] as [Flaw<LinuxSeccomp>])
    func refusesWithAReason(_ flaw: Flaw<LinuxSeccomp>) throws {
        try withCache { cache, _ in
            let error = #expect(throws: RuntimeError.self) { try cache.program(for: profile { flaw.change(&$0) }) }
            #expect(error?.message.contains(flaw.reason) == true, "\(error?.message ?? "")")
        }
    }
}
