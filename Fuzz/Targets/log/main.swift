import Engine
import EngineModel
import Fuzzing
import Glibc
import Kernel

let directory = scratchDirectory()
let path = directory + "/json.log"

/// Reads a log whole.
func read(_ options: LogReader.Options) -> [UInt8] {
    let reader = LogReader(path: path, options: options)
    var output: [UInt8] = []
    while let more = try? reader.read(mayGrow: false), !more.isEmpty { output += more }
    return output
}

// A log file, after a byte of options and one of how many lines from the end are wanted.
fuzz { bytes in
    var input = Input(bytes)
    let (choice, tail) = (input.byte(), Int(input.byte()))
    guard let file = try? FileDescriptor.open(path, [.writeOnly, .create, .truncate], mode: 0o600),
        (try? file.writeAll(Array(input.rest))) != nil
    else { finding("cannot write \(path)") }
    var options = LogReader.Options()
    options.timestamps = choice & 1 != 0
    options.details = choice & 2 != 0
    options.isFramed = choice & 4 == 0
    if choice & 8 != 0 { options.since = Timestamp(seconds: 1_700_000_000) }
    if choice & 16 != 0 { options.until = Timestamp(seconds: 1_700_000_000) }
    let all = read(options)
    options.tail = tail
    let end = read(options)
    if choice & 16 == 0, !all.suffix(end.count).elementsEqual(end) { finding("the tail is no end of the log") }
}
