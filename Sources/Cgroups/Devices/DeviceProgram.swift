import Kernel

/// Compiles device rules into an eBPF program for cgroup v2.
///
/// The kernel runs it with the kind, the numbers and the access that is wanted (`struct bpf_cgroup_dev_ctx`). It looks
/// at the rules from the last to the first: an allowing rule that matches strikes its accesses off those wanted, a
/// denying one that matches any still wanted denies. When none is wanted any more the answer is yes; when the rules end
/// before, no.
struct DeviceProgram {
    private(set) var instructions: [BPFInstruction] = []

    // Registers.
    private static let result: UInt8 = 0
    private static let context: UInt8 = 1
    private static let kind: UInt8 = 2
    private static let wanted: UInt8 = 3
    private static let major: UInt8 = 4
    private static let minor: UInt8 = 5

    // Instruction codes (linux/bpf_common.h, linux/bpf.h).
    private static let loadWord: UInt8 = 0x61
    private static let moveConstant: UInt8 = 0xb4
    private static let moveRegister: UInt8 = 0xbc
    private static let andConstant: UInt8 = 0x54
    private static let shiftRightConstant: UInt8 = 0x74
    private static let jumpIfNotEqual: UInt8 = 0x56
    private static let jumpIfEqual: UInt8 = 0x16
    private static let exit: UInt8 = 0x95

    // BPF_DEVCG_DEV_*
    private static func number(_ kind: DeviceRule.Kind) -> Int32 { kind == .block ? 1 : 2 }

    init(_ rules: [DeviceRule]) {
        // What comes before a rule about everything can never be reached.
        let start = rules.lastIndex { $0.key == .everything } ?? 0
        let rules = rules[start...]

        // access_type holds the kind in its low half and the access in its high half.
        append(Self.loadWord, Self.kind, Self.context, 0, 0)
        append(Self.moveRegister, Self.wanted, Self.kind, 0, 0)
        append(Self.andConstant, Self.kind, 0, 0, 0xffff)
        append(Self.shiftRightConstant, Self.wanted, 0, 0, 16)
        append(Self.loadWord, Self.major, Self.context, 4, 0)
        append(Self.loadWord, Self.minor, Self.context, 8, 0)
        var isComplete = false
        for rule in rules.reversed() {
            append(rule)
            if rule.key == .everything { isComplete = true }
        }
        if !isComplete { append(answer: false) }
    }

    private mutating func append(_ rule: DeviceRule) {
        if rule.key == .everything {
            append(answer: rule.allow)
            return
        }
        var body = DeviceProgram()
        let access = Int32(rule.access.rawValue)
        if rule.allow {
            body.append(Self.andConstant, Self.wanted, 0, 0, ~access & 7)
            body.append(Self.jumpIfNotEqual, Self.wanted, 0, 2, 0)
            body.append(answer: true)
        } else {
            body.append(Self.moveRegister, Self.result, Self.wanted, 0, 0)
            body.append(Self.andConstant, Self.result, 0, 0, access)
            body.append(Self.jumpIfEqual, Self.result, 0, 2, 0)
            body.append(answer: false)
        }
        var tests: [(register: UInt8, value: Int32)] = []
        if let kind = rule.key.kind { tests.append((Self.kind, Self.number(kind))) }
        if let major = rule.key.major { tests.append((Self.major, Int32(bitPattern: major))) }
        if let minor = rule.key.minor { tests.append((Self.minor, Int32(bitPattern: minor))) }
        for (index, test) in tests.enumerated() {
            let skipped = tests.count - index - 1 + body.instructions.count
            append(Self.jumpIfNotEqual, test.register, 0, Int16(skipped), test.value)
        }
        instructions += body.instructions
    }

    private init() {}

    private mutating func append(answer: Bool) {
        append(Self.moveConstant, Self.result, 0, 0, answer ? 1 : 0)
        append(Self.exit, 0, 0, 0, 0)
    }

    private mutating func append(
        _ code: UInt8, _ destination: UInt8, _ source: UInt8, _ offset: Int16, _ immediate: Int32
    ) {
        instructions.append(
            BPFInstruction(
                code: code, destination: destination, source: source, offset: offset, immediate: immediate))
    }

    /// Makes it the only program of the cgroup.
    func install(in path: String) throws(CgroupError) {
        do throws(KernelError) {
            let cgroup = try FileDescriptor.open(path, [.readOnly, .directory])
            let old = try CgroupDeviceProgram.attached(to: cgroup)
            let new = try CgroupDeviceProgram.load(instructions)
            if old.count == 1 {
                do throws(KernelError) {
                    try CgroupDeviceProgram.attach(new, to: cgroup, replacing: old[0])
                    return
                } catch {
                    // Linux before 5.5, or attached in a way that allows no second one.
                    if error.code != .invalidArgument { throw error }
                }
            }
            // Together they allow what both allow, so there is no moment without a program.
            try CgroupDeviceProgram.attach(new, to: cgroup)
            for program in old { try CgroupDeviceProgram.detach(program, from: cgroup) }
        } catch { throw CgroupError("set the device rules of the cgroup \(path)", error) }
    }
}
