import CommandLineKit
import Engine
import Fuzzing
import Glibc
import Kernel

@testable import Commands

let directory = scratchDirectory()
let path = directory + "/env"

// One text for all the grammars of `run`'s options.
fuzz { bytes in
    let text = String(decoding: bytes, as: UTF8.self)
    _ = try? MountOption(text)
    _ = try? VolumeOption(text)
    _ = try? DeviceOption.mapping(text)
    _ = DeviceOption.isCDIName(text)
    _ = try? NetworkOption(text).endpoint()
    _ = MACAddress.isValid(text)
    var ports = PortOptions()
    try? ports.publish(text)
    try? ports.expose(text)
    _ = try? UlimitOption(text)
    _ = try? DeviceRate(weight: text)
    _ = try? DeviceRate(bytesPerSecond: text)
    _ = try? DeviceRate(operationsPerSecond: text)
    _ = try? GPURequest(text)
    _ = try? OptionText.environment(text)
    _ = try? OptionText.extraHost(text)
    _ = try? OptionText.searchDomain(text)
    _ = try? OptionText.sysctl(text)
    _ = try? OptionText.deviceCgroupRule(text)
    _ = try? OptionText.nanoCPUs(text)
    _ = try? OptionText.restartPolicy(text)
    _ = OptionText.pairs([text])
    _ = OptionText.capabilities([text])
    _ = try? BindSpecification(text)
    _ = try? SecurityOptions([text])
    guard let file = try? FileDescriptor.open(path, [.writeOnly, .create, .truncate], mode: 0o600),
        (try? file.writeAll(bytes)) != nil
    else { finding("cannot write \(path)") }
    for inherits in [true, false] {
        for line in (try? OptionText.file(path, inherits: inherits)) ?? [] where line.isEmpty || line.contains("\n") {
            finding("a line of the file is \(line)")
        }
    }
}
