import Fuzzing
import JSON

// What parses is written and parsed again to the same value, in every format. (A number without a fraction comes back
// as an integer, so it is the texts that are compared.)
fuzz { bytes in
    guard let value = try? JSONValue(parsing: bytes) else { return }
    for format in [JSONFormat.compact, .pretty, .canonical, JSONFormat(escapesHTML: true)] {
        let text = value.bytes(format)
        guard let again = try? JSONValue(parsing: text) else { finding("what was written does not parse") }
        if again.bytes(format) != text { finding("what was written is another value") }
    }
}
