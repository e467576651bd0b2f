import Cgroups
import Fuzzing
import Kernel

// Messages from systemd's bus; and the kernel's texts, which hold names that containers choose.
fuzz { bytes in
    if let message = try? DBusMessage.decoded(bytes) { _ = message.encoded() }
    let text = String(decoding: bytes, as: UTF8.self)
    _ = MountInfo.parse(text)
    _ = parseProcessorList(text)
}
