import JSON
import NixLanguage
import NixLocalStore
import NixStore

/// `path-info`: what the store knows of objects, as `nix path-info` prints it.
struct PathInfoCommand {
    static let help = """
        Usage: dhow-nix path-info [OPTIONS] PATH...

        Print what the store knows of objects.

          -r, --recursive         of all that they refer to, too
          -s, --size              the size of each
          -S, --closure-size      the size of each with all that it refers to
          -h, --human-readable    sizes with K, M, G
          --sigs                  signatures
          --json                  print JSON
          --all                   of every object
          --file, -f FILE, --expr TEXT
                                  PATH is an attribute of an expression; --derivation for how it is built
          --store DIR             a store other than the machine's

        """

    private var words: [String] = []
    private var flags: Set<String> = []
    private var settings = Settings()
    private var installables = Installables()
    private static let names: [String: String] = [
        "-r": "--recursive", "--recursive": "--recursive", "-s": "--size", "--size": "--size",
        "-S": "--closure-size", "--closure-size": "--closure-size", "-h": "--human-readable",
        "--human-readable": "--human-readable", "--sigs": "--sigs", "--json": "--json", "--all": "--all",
        "--derivation": "--derivation",
    ]

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        var command = PathInfoCommand()
        try rest.takeAll(help: help, separates: true, word: { command.words.append($0) }) { option, rest in
            if let flag = names[option] {
                command.flags.insert(flag)
            } else if try !command.installables.take(option, &rest), try !command.settings.take(option, &rest) {
                throw UsageError("unrecognised flag '\(option)'")
            }
        }
        command.words = try command.installables.paths(
            of: command.words, as: command.flags.contains("--derivation") ? .derivations : .outputs, command.settings)
        try command.print()
    }

    private func print() throws {
        var options = LocalStore.Options()
        options.isWritable = false
        let session = try StoreSession(settings, options: options)
        let store = session.store
        var chosen =
            flags.contains("--all") ? try store.allValidPaths() : Set(try words.map(session.object))
        if flags.contains("--recursive") { chosen = try store.closure(of: chosen) }
        for path in chosen { _ = try store.requireInfo(of: path) }
        let order = Array(try store.sortedByReferences(chosen).reversed())
        if flags.contains("--json") {
            let infos = try chosen.sorted().map { try json($0, store) }
            return Output.standard.write(JSONValue.array(infos).serialized() + "\n")
        }
        let width = order.map { session.directory.print($0).utf8.count }.max() ?? 0
        for path in order { Output.standard.write(try line(path, width, store)) }
    }

    private func closureSize(_ path: StorePath, _ store: any MachineStore) throws -> UInt64 {
        try store.closure(of: [path]).reduce(0) { sum, path in
            // What a daemon says may be anything.
            let (result, overflows) = try sum.addingReportingOverflow(store.requireInfo(of: path).narSize)
            return overflows ? .max : result
        }
    }

    private func line(_ path: StorePath, _ width: Int, _ store: any MachineStore) throws -> String {
        let info = try store.requireInfo(of: path)
        var line = store.directory.print(path)
        let shows = ["--size", "--closure-size", "--sigs"].map(flags.contains)
        if shows.contains(true) { line += String(repeating: " ", count: width - line.utf8.count) }
        if shows[0] { line += size(info.narSize) }
        if shows[1] { line += size(try closureSize(path, store)) }
        if shows[2] {
            var signatures = info.isUltimate ? ["ultimate"] : []
            if let address = info.contentAddress { signatures.append("ca:" + address) }
            line += "\t" + (signatures + info.signatures.sorted()).joined(separator: " ")
        }
        return line + "\n"
    }

    private func size(_ bytes: UInt64) -> String {
        func padded(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.utf8.count)) + text
        }
        guard flags.contains("--human-readable") else { return "\t" + padded(String(bytes), 11) }
        var number = Double(bytes)
        var unit = 0
        while number > 1024, unit < 5 {
            number /= 1024
            unit += 1
        }
        let tenths = Int((number * 10).rounded(.toNearestOrEven))
        return "\t" + padded("\(tenths / 10).\(tenths % 10)", 6) + [" ", "K", "M", "G", "T", "P"][unit]
    }

    private func json(_ path: StorePath, _ store: any MachineStore) throws -> JSONValue {
        let info = try store.requireInfo(of: path)
        var members: [(String, JSONValue)] = [
            ("path", .string(store.directory.print(path))), ("narHash", .string(info.narHash.text(.sri))),
            ("narSize", .integer(Int64(clamping: info.narSize))),
            ("references", .array(info.references.sorted().map { .string(store.directory.print($0)) })),
        ]
        if let address = info.contentAddress { members.append(("ca", .string(address))) }
        if flags.contains("--closure-size") {
            members.append(("closureSize", .integer(Int64(clamping: try closureSize(path, store)))))
        }
        if let deriver = info.deriver { members.append(("deriver", .string(store.directory.print(deriver)))) }
        members.append(("registrationTime", .integer(info.registrationTime)))
        if info.isUltimate { members.append(("ultimate", true)) }
        if !info.signatures.isEmpty {
            members.append(("signatures", .array(info.signatures.sorted().map { .string($0) })))
        }
        return .object(JSONObject(members))
    }
}
