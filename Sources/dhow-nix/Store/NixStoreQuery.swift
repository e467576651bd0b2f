import NixLocalStore
import NixStore

/// `nix-store --query`.
struct NixStoreQuery {
    let command: NixStoreCommand
    let session: StoreSession

    private var store: any MachineStore { session.store }
    private var directory: StoreDirectory { session.directory }

    func run() throws {
        let objects = try command.words.map(session.object)
        switch command.query ?? "--outputs" {
        case "--outputs": for path in objects { session.print(try session.outputs(of: path).sorted()) }
        case "--requisites", "--references", "--referrers", "--referrers-closure":
            try session.print(store.sortedByReferences(related(objects)).reversed())
        case "--deriver":
            for path in objects {
                let deriver = try store.requireInfo(of: path).deriver
                Output.standard.write((deriver.map(directory.print) ?? "unknown-deriver") + "\n")
            }
        case "--valid-derivers": for path in objects { session.print(try store.derivers(of: path).sorted()) }
        case "--hash":
            for path in try used(objects) {
                let hash = try store.requireInfo(of: path).narHash
                Output.standard.write(hash.text(.nix32, withAlgorithm: true) + "\n")
            }
        case "--size":
            for path in try used(objects) {
                Output.standard.write("\(try store.requireInfo(of: path).narSize)\n")
            }
        case "--binding": for path in objects { try printBinding(path) }
        case "--tree":
            var printed: Set<StorePath> = []
            for path in objects { try printTree(path, first: "", tail: "", &printed) }
        case "--graph": try printGraph(Set(used(objects)))
        case "--graphml": try printGraphML(Set(used(objects)))
        case "--resolve": session.print(objects)
        case "--roots": try printRoots(objects)
        default: break
        }
    }

    /// The objects that the arguments stand for.
    private func used(_ objects: [StorePath]) throws -> [StorePath] {
        guard command.flags.contains("--use-output") else { return objects }
        return try objects.flatMap(session.outputs)
    }

    private func related(_ objects: [StorePath]) throws -> Set<StorePath> {
        var related: Set<StorePath> = []
        for path in try used(objects) {
            switch command.query {
            case "--requisites":
                related.formUnion(
                    try store.closure(of: [path], includesOutputs: command.flags.contains("--include-outputs")))
            case "--references": related.formUnion(try store.references(of: path))
            case "--referrers": related.formUnion(try store.referrers(of: path))
            default: related.formUnion(try store.closure(of: [path], .referrers))
            }
        }
        return related
    }

    private func printBinding(_ path: StorePath) throws {
        let name = command.values["--binding"] ?? ""
        // Of an object, the derivation that made it.
        let deriver = path.isDerivation ? nil : try store.requireInfo(of: path).deriver
        let path = deriver ?? path
        let derivation = try store.derivation(at: path)
        guard let value = derivation.environment[ByteString(name)] else {
            throw StoreError(
                .badDerivation,
                "derivation '\(directory.print(path))' has no environment binding named '\(name)'")
        }
        Output.standard.write(value.bytes + [0x0A])
    }

    private func printRoots(_ objects: [StorePath]) throws {
        let closure = try store.closure(of: used(objects), .referrers, includesDerivers: true)
        var lines: [String] = []
        for (path, links) in try store.roots { _ in } where closure.contains(path) {
            for link in links { lines.append("\(link) -> \(directory.print(path))\n") }
        }
        Output.standard.write(lines.sorted().joined())
    }

    // MARK: Pictures

    private func printTree(_ path: StorePath, first: String, tail: String, _ printed: inout Set<StorePath>) throws {
        guard printed.insert(path).inserted else {
            return Output.standard.write("\(first)\(directory.print(path)) [...]\n")
        }
        Output.standard.write("\(first)\(directory.print(path))\n")
        // What is needed by the others stands first, which keeps the tree shallow.
        let references = try store.sortedByReferences(store.references(of: path))
        let order = Array(references.reversed())
        for (index, reference) in order.enumerated() {
            let isLast = index == order.count - 1
            try printTree(
                reference, first: tail + (isLast ? "└───" : "├───"), tail: tail + (isLast ? "    " : "│   "), &printed)
        }
    }

    private func printGraph(_ roots: Set<StorePath>) throws {
        let colours = ["black", "red", "green", "blue", "magenta", "burlywood"]
        var edges = 0
        var pending = roots
        var done: Set<StorePath> = []
        Output.standard.write("digraph G {\n")
        while let path = pending.min() {
            pending.remove(path)
            guard done.insert(path).inserted else { continue }
            Output.standard.write(
                "\"\(path)\" [label = \"\(path.name)\", shape = box, style = filled, fillcolor = \"#ff0000\"];\n")
            for reference in try store.references(of: path).sorted() where reference != path {
                pending.insert(reference)
                Output.standard.write(
                    "\"\(reference)\" -> \"\(path)\" [color = \"\(colours[edges % colours.count])\"];\n")
                edges += 1
            }
        }
        Output.standard.write("}\n")
    }

    /// Objects and what they refer to, in the graph language of yEd and others.
    private func printGraphML(_ roots: Set<StorePath>) throws {
        Output.standard.write(
            """
            <?xml version='1.0' encoding='utf-8'?>
            <graphml xmlns='http://graphml.graphdrawing.org/xmlns'
                xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'
                xsi:schemaLocation='http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd'>
            <key id='narSize' for='node' attr.name='narSize' attr.type='int'/>\
            <key id='name' for='node' attr.name='name' attr.type='string'/>\
            <key id='type' for='node' attr.name='type' attr.type='string'/>\
            <graph id='G' edgedefault='directed'>

            """)
        var pending = roots
        var done: Set<StorePath> = []
        while let path = pending.min() {
            pending.remove(path)
            guard done.insert(path).inserted else { continue }
            let info = try store.requireInfo(of: path)
            // Nix's idea of a name: what stands before the first dash, with it.
            let dash = path.name.utf8.firstIndex(of: UInt8(ascii: "-"))
            let name = dash.map { path.name[...$0] } ?? ""
            Output.standard.write(
                """
                  <node id="\(path)">
                    <data key="narSize">\(info.narSize)</data>
                    <data key="name">\(name)</data>
                    <data key="type">\(path.isDerivation ? "derivation" : "output-path")</data>
                  </node>

                """)
            for reference in info.references.sorted() where reference != path {
                pending.insert(reference)
                Output.standard.write("  <edge source=\"\(path)\" target=\"\(reference)\"/>\n")
            }
        }
        Output.standard.write("</graph>\n</graphml>\n")
    }
}
