import CSeccomp
import Glibc
import Kernel
import OCI

/// Compiles the specification's seccomp profile with libseccomp.
enum SeccompCompiler {
    static func compile(_ profile: LinuxSeccomp) throws(RuntimeError) -> [UInt8] {
        let defaultAction = try action(profile.defaultAction, errno: profile.defaultErrnoRet)
        guard defaultAction != notify else {
            throw RuntimeError(.invalidSpecification, "SCMP_ACT_NOTIFY cannot be used as default action")
        }
        guard let context = seccomp_init(defaultAction) else {
            throw RuntimeError(.invalidSpecification, "seccomp: libseccomp refuses the default action")
        }
        defer { seccomp_release(context) }
        // Setting no_new_privs is the plan's business, and a rule for every architecture need not exist in each.
        seccomp_attr_set(context, SCMP_FLTATR_CTL_NNP, 0)
        // A tree rather than a list: the cost of a system call grows with the logarithm of the rules.
        seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2)
        for name in profile.architectures ?? [] {
            guard let architecture = architectures[name] else {
                throw RuntimeError(.invalidSpecification, "seccomp: unknown architecture \(name)")
            }
            let result = seccomp_arch_add(context, architecture)
            if result != 0 && result != -EEXIST {
                throw RuntimeError(.invalidSpecification, "seccomp: cannot add architecture \(name)", errno: -result)
            }
        }
        var highest: Int32 = -1
        for rule in profile.syscalls ?? [] {
            try add(rule, to: context, defaultAction: defaultAction, highest: &highest)
        }
        let program = try export(context)
        return isStrict(defaultAction) ? refusingUnknownCalls(above: highest, program) : program
    }

    private static func add(
        _ rule: LinuxSyscall, to context: scmp_filter_ctx, defaultAction: UInt32, highest: inout Int32
    ) throws(RuntimeError) {
        let action = try action(rule.action, errno: rule.errnoRet)
        var comparisons: [scmp_arg_cmp] = []
        for argument in rule.args ?? [] {
            guard let comparison = operators[argument.op] else {
                throw RuntimeError(.invalidSpecification, "seccomp: unknown operator \(argument.op)")
            }
            guard argument.index < 6 else {
                throw RuntimeError(
                    .invalidSpecification, "seccomp: argument \(argument.index) does not exist; 0 to 5 do")
            }
            comparisons.append(
                scmp_arg_cmp(
                    arg: argument.index, op: comparison, datum_a: argument.value, datum_b: argument.valueTwo ?? 0))
        }
        for name in rule.names {
            if action == notify, name == "write" {
                throw RuntimeError(.invalidSpecification, "SCMP_ACT_NOTIFY cannot be used for the write syscall")
            }
            let number = seccomp_syscall_resolve_name(name)
            // Names that this libseccomp does not know cannot be filtered.
            if number == -1 { continue }
            highest = max(highest, number)
            if action == defaultAction { continue }
            // More than one condition on the same argument: each becomes a rule of its own, as one rule cannot hold
            // them.
            let indices = comparisons.map(\.arg)
            let groups = Set(indices).count == indices.count ? [comparisons] : comparisons.map { [$0] }
            for group in groups {
                let result = seccomp_rule_add_array(context, action, number, UInt32(group.count), group)
                if result != 0 && result != -EEXIST {
                    throw RuntimeError(
                        .invalidSpecification, "seccomp: cannot add a rule for \(name): error \(-result)",
                        errno: -result)
                }
            }
        }
    }

    private static func export(_ context: scmp_filter_ctx) throws(RuntimeError) -> [UInt8] {
        do throws(KernelError) {
            let file = try FileDescriptor.makeMemoryFile("seccomp")
            let result = seccomp_export_bpf(context, file.rawValue)
            guard result == 0 else {
                throw KernelError(ErrorNumber(rawValue: -result), "export the seccomp filter")
            }
            _ = try file.seek(to: 0)
            return try file.readAll()
        } catch {
            throw RuntimeError(error)
        }
    }

    /// Whether a call that no rule names is refused.
    private static func isStrict(_ action: UInt32) -> Bool {
        let kind = action & 0xffff_0000
        return kind == 0x0005_0000 && action & 0xffff != UInt32(ENOSYS) || kind == 0x8000_0000 || kind == 0
    }

    /// Calls that are newer than every one that the profile names get ENOSYS, so that programs fall back to older
    /// ones, in place of an error that looks like a lack of permission.
    private static func refusingUnknownCalls(above highest: Int32, _ program: [UInt8]) -> [UInt8] {
        guard highest > 0, seccomp_arch_native() == auditArchX8664 || seccomp_arch_native() == auditArchAArch64
        else { return program }
        var prologue: [UInt8] = []
        func emit(_ code: UInt16, _ jumpTrue: UInt8, _ jumpFalse: UInt8, _ value: UInt32) {
            withUnsafeBytes(of: code) { prologue += $0 }
            prologue += [jumpTrue, jumpFalse]
            withUnsafeBytes(of: value) { prologue += $0 }
        }
        emit(0x20, 0, 0, 4)  // load the architecture
        emit(0x15, 0, 4, seccomp_arch_native())  // another one: go on with the filter
        emit(0x20, 0, 0, 0)  // load the number
        emit(0x45, 2, 0, 0x4000_0000)  // x32's numbers: go on
        emit(0x25, 0, 1, UInt32(highest))  // not above: go on
        emit(0x06, 0, 0, 0x0005_0000 | UInt32(ENOSYS))
        return prologue + program
    }

    // From linux/audit.h.
    private static let auditArchX8664: UInt32 = 0xc000_003e
    private static let auditArchAArch64: UInt32 = 0xc000_00b7

    private static let notify: UInt32 = 0x7fc0_0000

    static let actionNames = [
        "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
        "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
    ]

    private static func action(_ name: String, errno: UInt32?) throws(RuntimeError) -> UInt32 {
        // EPERM where the profile names no error.
        let number = errno ?? 1
        guard number <= 0xffff else {
            throw RuntimeError(.invalidSpecification, "seccomp: error number \(number) does not fit")
        }
        if errno != nil, name != "SCMP_ACT_ERRNO", name != "SCMP_ACT_TRACE" {
            throw RuntimeError(.invalidSpecification, "seccomp: errnoRet has no meaning with action \(name)")
        }
        switch name {
        case "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD": return 0
        case "SCMP_ACT_KILL_PROCESS": return 0x8000_0000
        case "SCMP_ACT_TRAP": return 0x0003_0000
        case "SCMP_ACT_ERRNO": return 0x0005_0000 | number
        case "SCMP_ACT_TRACE": return 0x7ff0_0000 | number
        case "SCMP_ACT_LOG": return 0x7ffc_0000
        case "SCMP_ACT_ALLOW": return 0x7fff_0000
        case "SCMP_ACT_NOTIFY": return notify
        default: throw RuntimeError(.invalidSpecification, "seccomp: unknown action \(name)")
        }
    }

    static let operators: [String: scmp_compare] = [
        "SCMP_CMP_NE": SCMP_CMP_NE, "SCMP_CMP_LT": SCMP_CMP_LT, "SCMP_CMP_LE": SCMP_CMP_LE, "SCMP_CMP_EQ": SCMP_CMP_EQ,
        "SCMP_CMP_GE": SCMP_CMP_GE, "SCMP_CMP_GT": SCMP_CMP_GT, "SCMP_CMP_MASKED_EQ": SCMP_CMP_MASKED_EQ,
    ]

    /// The specification's names; the values are those of linux/audit.h, and libseccomp's own for x32.
    static let architectures: [String: UInt32] = [
        "SCMP_ARCH_X86": 0x4000_0003, "SCMP_ARCH_X86_64": 0xc000_003e, "SCMP_ARCH_X32": 0x4000_003e,
        "SCMP_ARCH_ARM": 0x4000_0028, "SCMP_ARCH_AARCH64": 0xc000_00b7, "SCMP_ARCH_MIPS": 0x8,
        "SCMP_ARCH_MIPS64": 0x8000_0008, "SCMP_ARCH_MIPS64N32": 0xa000_0008, "SCMP_ARCH_MIPSEL": 0x4000_0008,
        "SCMP_ARCH_MIPSEL64": 0xc000_0008, "SCMP_ARCH_MIPSEL64N32": 0xe000_0008, "SCMP_ARCH_PPC": 0x14,
        "SCMP_ARCH_PPC64": 0x8000_0015, "SCMP_ARCH_PPC64LE": 0xc000_0015, "SCMP_ARCH_S390": 0x16,
        "SCMP_ARCH_S390X": 0x8000_0016, "SCMP_ARCH_PARISC": 0xf, "SCMP_ARCH_PARISC64": 0x8000_000f,
        "SCMP_ARCH_RISCV64": 0xc000_00f3,
    ]
}
