import Kernel

extension LaunchChild {
    func loadSeccomp() throws {
        guard let program = inherited.seccomp else { return }
        let listener = try Seccomp.load(program.instructions, flags: program.flags)
        // The parent passes it on: the listener's socket is outside, and the filter may already forbid connecting.
        if let listener { try (starter ?? channel).report(.seccompListener(listener)) }
    }
}
