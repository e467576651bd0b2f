import CommandLineKit
import Fuzzing

/// A command line is one argument a line.
func parse(_ arguments: [String], isInterspersed: Bool) {
    let flags = FlagSet(isInterspersed: isInterspersed)
    flags.bool("tty", "t", "")
    flags.bool("interactive", "i", default: true, "")
    flags.string("name", "n", "")
    flags.int("int", "I", "")
    flags.uint("uint", "u", bits: 16, "")
    flags.double("double", "d", "")
    flags.duration("duration", "D", "")
    flags.bytes("memory", "m", unlimited: true, "")
    flags.strings("volume", "v", "")
    flags.commaSeparated("capability", "c", "")
    flags.map("label", "l", "").deprecated("use something else")
    flags.string("bare", "b", "").valueWhenBare("x").shorthandDeprecated("use --bare")
    flags.alias("other", of: "name")
    _ = try? flags.parse(arguments)
    _ = flags.namesSet
}

fuzz { bytes in
    var input = Input(bytes)
    let text = input.text
    _ = GoDuration(text).map { "\($0) \($0.humanized)" }
    _ = try? ByteSize.parseBinary(text)
    _ = (try? ByteSize.parseDecimal(text)).map { "\(ByteSize.decimal($0)) \(ByteSize.binary($0))" }
    _ = CommaSeparated.fields(text)
    _ = try? Moment.apiValue(text)
    if let moment = Moment(rfc3339: text) {
        _ = "\(moment.rfc3339()) \(moment.localRFC3339()) \(moment.goString()) \(moment.duration(until: .now()))"
    }
    if let number = Double(text) { _ = goFormat(number) }
    _ = goQuoted(text)

    let isInterspersed = input.byte() & 1 == 0
    var arguments: [String] = []
    while !input.isEmpty { arguments.append(input.line()) }
    parse(arguments, isInterspersed: isInterspersed)
}
