import CKernel
import Glibc

/// One eBPF instruction.
public struct BPFInstruction: Hashable, Sendable {
    public var code: UInt8
    /// Destination register in the low half, source in the high half.
    public var registers: UInt8
    public var offset: Int16
    public var immediate: Int32

    public init(code: UInt8, destination: UInt8 = 0, source: UInt8 = 0, offset: Int16 = 0, immediate: Int32 = 0) {
        self.code = code
        registers = destination & 15 | source << 4
        self.offset = offset
        self.immediate = immediate
    }
}

/// Programs for cgroup v2 that decide about devices (`BPF_PROG_TYPE_CGROUP_DEVICE`).
public enum CgroupDeviceProgram {
    // BPF_PROG_LOAD 5, ATTACH 8, DETACH 9, GET_FD_BY_ID 13, QUERY 16; BPF_CGROUP_DEVICE 6; type CGROUP_DEVICE 15.
    private static let attachType: UInt32 = 6

    /// - Throws: with the verifier's words as advice when it refuses the program.
    public static func load(_ instructions: [BPFInstruction], name: String = "dhow_devices")
        throws(KernelError) -> FileDescriptor
    {
        let code = instructions.map {
            ck_bpf_insn(code: $0.code, registers: $0.registers, off: $0.offset, imm: $0.immediate)
        }
        func attempt(_ log: UnsafeMutableRawBufferPointer?) -> Int {
            code.withUnsafeBytes { code in
                "Apache".withCString { license in
                    var attributes = ck_bpf_prog_load()
                    attributes.prog_type = 15
                    attributes.insn_cnt = UInt32(instructions.count)
                    attributes.insns = UInt64(UInt(bitPattern: code.baseAddress))
                    attributes.license = UInt64(UInt(bitPattern: license))
                    if let log {
                        attributes.log_level = 1
                        attributes.log_size = UInt32(log.count)
                        attributes.log_buf = UInt64(UInt(bitPattern: log.baseAddress))
                    }
                    withUnsafeMutableBytes(of: &attributes.prog_name) { $0.copyBytes(from: name.utf8.prefix(15)) }
                    return ck_bpf(5, &attributes, UInt32(MemoryLayout<ck_bpf_prog_load>.size))
                }
            }
        }
        do throws(KernelError) {
            return FileDescriptor(owning: Int32(try call("load a device program") { attempt(nil) }))
        } catch {
            // Again for the verifier's words: asking for them at once makes every load slower.
            var log = [UInt8](repeating: 0, count: 64 << 10)
            _ = log.withUnsafeMutableBytes { attempt($0) }
            var error = error
            error.advice = String(decoding: log.prefix { $0 != 0 }.suffix(400), as: UTF8.self)
            throw error
        }
    }

    /// Attaches beside what is there (`BPF_F_ALLOW_MULTI`): every program must allow.
    /// - Parameter old: an attached program to take the place of, in one step (Linux 5.5).
    public static func attach(
        _ program: FileDescriptor, to cgroup: FileDescriptor, replacing old: FileDescriptor? = nil
    )
        throws(KernelError)
    {
        // BPF_F_ALLOW_MULTI 2, BPF_F_REPLACE 4
        var attributes = ck_bpf_prog_attach(
            target_fd: UInt32(cgroup.rawValue), attach_bpf_fd: UInt32(program.rawValue), attach_type: attachType,
            attach_flags: old == nil ? 2 : 6, replace_bpf_fd: UInt32(old?.rawValue ?? 0))
        try call("attach a device program to", cgroup.description) {
            ck_bpf(8, &attributes, UInt32(MemoryLayout<ck_bpf_prog_attach>.size))
        }
    }

    public static func detach(_ program: FileDescriptor, from cgroup: FileDescriptor) throws(KernelError) {
        var attributes = ck_bpf_prog_attach(
            target_fd: UInt32(cgroup.rawValue), attach_bpf_fd: UInt32(program.rawValue), attach_type: attachType,
            // Older kernels (6.1) refuse flags here; which of several programs is meant, the program itself says.
            attach_flags: 0, replace_bpf_fd: 0)
        try call("detach a device program from", cgroup.description) {
            ck_bpf(9, &attributes, UInt32(MemoryLayout<ck_bpf_prog_attach>.size))
        }
    }

    /// The programs attached to this very cgroup.
    public static func attached(to cgroup: FileDescriptor) throws(KernelError) -> [FileDescriptor] {
        var capacity = 64
        while true {
            var identifiers = [UInt32](repeating: 0, count: capacity)
            var attributes = ck_bpf_prog_query()
            let result = identifiers.withUnsafeMutableBytes { buffer in
                attributes.target_fd = UInt32(cgroup.rawValue)
                attributes.attach_type = attachType
                attributes.prog_cnt = UInt32(capacity)
                attributes.prog_ids = UInt64(UInt(bitPattern: buffer.baseAddress))
                return ck_bpf(16, &attributes, UInt32(MemoryLayout<ck_bpf_prog_query>.size))
            }
            // More than there was room for.
            if result == -Int(ENOSPC) && capacity < 4096 {
                capacity *= 4
                continue
            }
            try call("list the device programs of", cgroup.description) { result }
            var programs: [FileDescriptor] = []
            for identifier in identifiers.prefix(Int(attributes.prog_cnt)) {
                var open = ck_bpf_get_fd_by_id(id: identifier, next_id: 0, open_flags: 0)
                let raw = ck_bpf(13, &open, UInt32(MemoryLayout<ck_bpf_get_fd_by_id>.size))
                // Detached meanwhile.
                if raw == -Int(ENOENT) { continue }
                programs.append(
                    FileDescriptor(owning: Int32(try call("open device program", "\(identifier)") { raw })))
            }
            return programs
        }
    }
}
