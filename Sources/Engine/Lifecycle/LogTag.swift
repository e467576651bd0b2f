/// The tag and attributes that a log driver puts on every line.
package enum LogTag {
    /// Expands Docker's template, as in `{{.Name}}/{{.ID}}`. What is no member of it stays as it is.
    package static func expand(_ template: String, _ record: ContainerRecord) -> String {
        let values = [
            "ID": Names.short(record.id), "FullID": record.id, "Name": record.name,
            "ImageID": Names.short(record.imageID),
            "ImageFullID": record.imageID, "ImageName": record.config.image, "DaemonName": "docker",
            "Command": record.command.joined(separator: " "),
        ]
        var result = ""
        var rest = template[...]
        while let start = find("{{", in: rest) {
            let inner = rest[rest.index(start, offsetBy: 2)...]
            guard let end = find("}}", in: inner) else { break }
            result += rest[..<start]
            let name = HostFiles.trim(inner[..<end])
            let after = inner.index(end, offsetBy: 2)
            result +=
                name.hasPrefix(".")
                ? values[String(name.dropFirst())] ?? String(rest[start..<after])
                : String(rest[start..<after])
            rest = inner[after...]
        }
        return result + rest
    }

    private static func find(_ word: String, in text: Substring) -> Substring.Index? {
        text.indices.first { text[$0...].hasPrefix(word) }
    }

    /// The container's labels and variables that the options `labels` and `env` name.
    package static func attributes(_ options: [String: String], _ record: ContainerRecord) -> [String: String] {
        var attributes: [String: String] = [:]
        let labels = record.config.labels ?? [:]
        for name in words(options["labels"]) { if let value = labels[name] { attributes[name] = value } }
        if let pattern = options["labels-regex"].flatMap({ try? Regex($0) }) {
            for (name, value) in labels where name.firstMatch(of: pattern) != nil { attributes[name] = value }
        }
        var environment: [String: String] = [:]
        for entry in record.config.env ?? [] {
            guard let equals = entry.firstIndex(of: "=") else { continue }
            environment[String(entry[..<equals])] = String(entry[entry.index(after: equals)...])
        }
        for name in words(options["env"]) { if let value = environment[name] { attributes[name] = value } }
        if let pattern = options["env-regex"].flatMap({ try? Regex($0) }) {
            for (name, value) in environment where name.firstMatch(of: pattern) != nil { attributes[name] = value }
        }
        return attributes
    }

    private static func words(_ list: String?) -> [String] {
        (list ?? "").split(separator: ",").map(String.init)
    }
}
