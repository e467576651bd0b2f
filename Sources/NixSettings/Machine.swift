import Glibc
import Kernel

/// What settings are by themselves on this machine.
enum Machine {
    static var isRoot: Bool { geteuid() == 0 }

    static var processorCount: Int { HostSystem.processorCount }

    /// In Nix's words, like `x86_64-linux`.
    static var system: String { HostSystem.names.machine + "-linux" }

    /// What else an x86-64 processor runs: 32-bit programs, and the levels of its instruction set.
    static var extraPlatforms: [String] {
        guard system == "x86_64-linux" else { return [] }
        var names = ["i686-linux"]
        let flags = processorFlags
        for (level, needed) in levels.enumerated() {
            guard flags.isSuperset(of: needed) else { break }
            names.append("x86_64-v\(level + 1)-linux")
        }
        return names
    }

    /// What each level needs beyond the one below; the names are the kernel's. From the psABI of x86-64.
    private static let levels: [Set<String>] = [
        ["cmov", "cx8", "fpu", "fxsr", "mmx", "syscall", "sse", "sse2"],
        ["cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"],
        ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"],
        ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"],
    ]

    private static var processorFlags: Set<String> {
        guard let text = try? FileDescriptor.currentDirectory.readText("/proc/cpuinfo") else { return [] }
        let line = text.split(separator: "\n").first { $0.hasPrefix("flags") } ?? ""
        return Set(line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == ":" }).map(String.init))
    }

    static var features: [String] {
        let hasVirtualization = access("/dev/kvm", R_OK | W_OK) == 0
        return ["benchmark", "big-parallel"] + (hasVirtualization ? ["kvm"] : []) + ["nixos-test"]
    }
}
