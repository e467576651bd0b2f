import Fuzzing
import OCI
import Storage

// One change a line.
fuzz { bytes in
    var input = Input(bytes)
    var config = ImageRunConfig()
    while !input.isEmpty { try? config.apply(change: input.line()) }
    _ = config.json
}
