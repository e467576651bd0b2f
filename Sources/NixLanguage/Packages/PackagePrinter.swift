/// Prints packages as `nix-env --query` does.
struct PackagePrinter {
    private let evaluator: Evaluator
    private let columns: PackageQuery.Columns
    /// What was wrong with some of them.
    private(set) var notes: [String] = []

    init(_ evaluator: Evaluator, _ columns: PackageQuery.Columns) {
        self.evaluator = evaluator
        self.columns = columns
    }

    /// Calls `body` for each; those that fail by `assert` or `throw` are passed over.
    private func each(_ packages: [Package], _ body: (Package) throws -> Void) throws {
        for package in packages {
            do { try body(package) } catch {
                let error = evaluator.evaluationError(error)
                guard error.isCatchable else {
                    error.addTrace(.none, "while querying the derivation named '\(package.name.string)'")
                    throw error
                }
            }
        }
    }

    // MARK: Table

    func table(_ packages: [Package]) throws -> [UInt8] {
        var rows: [[String]] = []
        try each(packages) { package in
            var row: [String] = []
            if columns.contains(.attributePath) { row.append(package.attributePath) }
            if columns.contains(.name) { row.append(package.name.string) }
            if columns.contains(.system) { row.append(try package.system()) }
            if columns.contains(.derivationPath) { row.append(try package.derivationPath() ?? "-") }
            if columns.contains(.outputPaths) {
                let outputs = try package.outputs(withPaths: true).map { name, path in
                    (name == "out" ? "" : name + "=") + (path ?? "")
                }
                row.append(outputs.joined(separator: ";"))
            }
            if columns.contains(.description) { row.append(try package.description()) }
            rows.append(row)
        }
        var widths: [Int] = []
        for row in rows {
            for (index, cell) in row.enumerated() {
                if index == widths.count { widths.append(0) }
                widths[index] = max(widths[index], cell.utf8.count)
            }
        }
        var text: [UInt8] = []
        for row in rows {
            for (index, cell) in row.enumerated() {
                text += cell.utf8.map { $0 == 0x0A ? 0x20 : $0 }
                if index < row.count - 1 {
                    text += repeatElement(0x20, count: widths[index] - cell.utf8.count + 2)
                }
            }
            text.append(0x0A)
        }
        return text
    }

    // MARK: JSON

    mutating func json(_ packages: [Package]) throws -> [UInt8] {
        var members: [(name: Text, json: [UInt8])] = []
        var found: [String] = []
        try each(packages) { package in
            members.append((text(package.attributePath), try json(package, &found)))
        }
        notes += found
        return IndentedJSON.text(JSONText.object(members)) + [0x0A]
    }

    private func json(_ package: Package, _ notes: inout [String]) throws -> [UInt8] {
        let (name, version) = package.nameParts
        var members: [(name: Text, json: [UInt8])] = [
            (text("name"), try quoted(package.name)), (text("pname"), try quoted(name)),
            (text("version"), try quoted(version)), (text("system"), try quoted(text(try package.system()))),
            (text("outputName"), try quoted(text(try package.outputName()))),
        ]
        let outputs = try package.outputs(withPaths: columns.contains(.outputPaths)).map { name, path in
            (name: text(name), json: try path.map { try quoted(text($0)) } ?? Array("null".utf8))
        }
        members.append((text("outputs"), JSONText.object(outputs)))
        if columns.contains(.derivationPath), let path = try package.derivationPath() {
            members.append((text("drvPath"), try quoted(text(path))))
        }
        if columns.contains(.meta) {
            let entries = try package.metaEntries().map { name, value -> (name: Text, json: [UInt8]) in
                guard let value else {
                    notes.append(invalid(name, package))
                    return (name, Array("null".utf8))
                }
                var json = JSONText(evaluator)
                try json.write(value)
                return (name, json.bytes)
            }
            members.append((text("meta"), JSONText.object(entries)))
        }
        return JSONText.object(members)
    }

    private func text(_ text: String) -> Text { Text(evaluator.arena, text) }

    private func quoted(_ text: Text) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try JSONText.write(string: text.bytes, to: &bytes)
        return bytes
    }

    private func invalid(_ name: Text, _ package: Package) -> String {
        "derivation '\(package.name.string)' has invalid meta attribute '\(name.string)'"
    }

    // MARK: XML

    mutating func xml(_ packages: [Package]) throws -> [UInt8] {
        var xml = XMLText()
        var found: [String] = []
        xml.open("items")
        try each(packages) { try write($0, &xml, &found) }
        xml.close("items")
        notes += found
        return xml.bytes
    }

    private func write(_ package: Package, _ xml: inout XMLText, _ notes: inout [String]) throws {
        let (name, version) = package.nameParts
        var attributes: [(String, [UInt8])] = [
            ("attrPath", Array(package.attributePath.utf8)), ("name", package.name.array), ("pname", name.array),
            ("version", version.array), ("outputName", Array(try package.outputName().utf8)),
        ]
        let system = try package.system()
        if !system.isEmpty { attributes.append(("system", Array(system.utf8))) }
        if columns.contains(.derivationPath), let path = try package.derivationPath() {
            attributes.append(("drvPath", Array(path.utf8)))
        }
        if columns.contains(.description) {
            let description = try package.description()
            if !description.isEmpty { attributes.append(("description", Array(description.utf8))) }
        }
        xml.open("item", attributes)
        defer { xml.close("item") }
        for (name, path) in try package.outputs(withPaths: columns.contains(.outputPaths)) {
            xml.empty("output", [("name", Array(name.utf8))] + (path.map { [("path", Array($0.utf8))] } ?? []))
        }
        guard columns.contains(.meta) else { return }
        for (name, value) in try package.metaEntries() {
            guard let value else {
                notes.append(invalid(name, package))
                continue
            }
            write(meta: name, value.pointee, &xml)
        }
    }

    private func write(meta name: Text, _ value: Value, _ xml: inout XMLText) {
        func single(_ type: String, _ text: [UInt8]) {
            xml.empty("meta", [("name", name.array), ("type", Array(type.utf8)), ("value", text)])
        }
        func several(_ strings: [[(String, [UInt8])]]) {
            xml.open("meta", [("name", name.array), ("type", Array("strings".utf8))])
            for attributes in strings { xml.empty("string", attributes) }
            xml.close("meta")
        }
        switch value.tag {
        case .string: single("string", value.text.array)
        case .integer: single("int", Array(String(value.integer).utf8))
        case .float: single("float", Array(Literal.float(value.float).utf8))
        case .boolean: single("bool", Array((value.boolean ? "true" : "false").utf8))
        case .list:
            several(value.list.map(\.pointee).filter { $0.tag == .string }.map { [("value", $0.text.array)] })
        case .attributes:
            let strings = value.attributes.sorted(by: evaluator.symbols).filter { $0.value.pointee.tag == .string }
            several(
                strings.map { attribute in
                    [
                        ("type", evaluator.symbols.text(attribute.name).array),
                        ("value", attribute.value.pointee.text.array),
                    ]
                })
        default: break
        }
    }
}
