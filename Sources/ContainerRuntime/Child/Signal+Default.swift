import CKernel
import Kernel

extension Signal {
    /// Makes this process react to the signal as the kernel has it by default.
    func restoreDefault() { _ = ck_signal_default(rawValue) }
}
