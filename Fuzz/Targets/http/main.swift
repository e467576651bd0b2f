import EngineAPI
import EngineModel
import Fuzzing

// The parts of a request that are not NIO's: a line of path and query, and the texts that stand in queries.
fuzz { bytes in
    let text = String(decoding: bytes, as: UTF8.self)
    if let query = try? HTTPQuery(text[...]) {
        for name in ["filters", "since", "until", "t", "detachKeys", "all"] {
            _ = query.flag(name)
            _ = try? query.integer(name)
            _ = query.all(name)
            check(query.text(name) ?? "")
        }
    }
    _ = try? APIVersion.split(text)
    _ = (try? ListenAddress(text)).map(\.description)
    check(text)
}

func check(_ text: String) {
    if let filters = try? Filters(parsing: text) {
        for name in filters.names {
            _ = try? filters.bool(name)
            _ = filters.matchesExactly(name, "a")
            _ = filters.matchesLabels(name, ["a": "b", "": ""])
        }
        if let again = try? Filters(parsing: filters.json.serialized()), again.names == filters.names { return }
    }
    if let moment = Timestamp(parameter: text) {
        _ = "\(moment) \(moment.fixedWidthDescription) \(moment.nanosecondsSince1970)"
        _ = moment.timeInterval(since: Timestamp(seconds: 1_700_000_000))
    }
    if let keys = try? DetachSequence.parse(text) {
        var sequence = DetachSequence(keys: keys)
        _ = sequence.filter([1, 2] + keys.dropLast())
        if keys.allSatisfy({ $0 == keys[0] }) || !sequence.filter([keys[keys.count - 1]]).isComplete { return }
    }
}
