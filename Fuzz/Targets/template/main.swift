import CommandLineKit
import Fuzzing
import JSON

let data: JSONValue = [
    "Name": "web", "ID": "0123456789ab", "Count": 3, "Size": 1.5, "Ready": true, "None": nil, "Big": 1e30,
    "State": ["Running": true, "Health": ["Status": "healthy", "Log": [["ExitCode": 0], ["ExitCode": -1]]]],
    "Mounts": [["Source": "/a"], ["Source": "/b"]], "Labels": ["a.b": "c", "d": ""], "Empty": [],
]

fuzz { bytes in
    guard let template = try? Template(String(decoding: bytes, as: UTF8.self)) else { return }
    let methods: [String: Template.Method] = ["Label": { .string($0.first?.string ?? "") }]
    for missing in [Template.MissingField.noValue, .failure(type: "T"), .missingKey] {
        _ = try? template.render(data, missing: missing, methods: methods)
    }
}
