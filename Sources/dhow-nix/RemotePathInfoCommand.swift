import JSON
import NixLanguage
import NixStore

/// `path-info`: what a store knows of objects.
enum RemotePathInfoCommand {
    static let help = """
        Usage: dhow-nix path-info [-rsSh] [--sigs] [--json] [--store STORE] PATH...

        Print what a store knows of objects.

          -r, --recursive         with all that they refer to
          -s, --size              the size of each archive
          -S, --closure-size      of each and all that it refers to
          -h, --human-readable    sizes in MiB and the like
          --sigs                  signatures
          --json                  everything, by path
          --store STORE           the daemon, unix://SOCKET, https://…, file:///…

        """

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        var settings = StoreSettings(LocalHost())
        var words: [String] = []
        var flags: Set<Character> = []
        var isJSON = false
        while let item = rest.next() {
            switch item {
            case .word(let word): words.append(word)
            case .option("--help"): throw HelpRequest(text: help)
            case .option(let option):
                switch option {
                case "--recursive": flags.insert("r")
                case "--size": flags.insert("s")
                case "--closure-size": flags.insert("S")
                case "--human-readable": flags.insert("h")
                case "--sigs": flags.insert("g")
                case "--json": isJSON = true
                case _
                where option.count > 1 && !option.hasPrefix("--") && option.dropFirst().allSatisfy("rsSh".contains):
                    flags.formUnion(option.dropFirst())
                default:
                    guard try settings.take(option, &rest) else { throw UsageError("unrecognised flag '\(option)'") }
                }
            }
        }
        guard !words.isEmpty else { throw UsageError("which paths?") }
        let store = try settings.open(settings.store)
        let wanted = try words.map(settings.path)
        let needsClosure = flags.contains("r") || flags.contains("S")
        let infos = try referenceClosure(of: wanted, parallelism: 8, follows: needsClosure) { path in
            guard let info = try store.info(of: path) else {
                throw StoreError(.notFound, "path '\(store.directory.print(path))' is not valid")
            }
            return info
        }
        let shown = flags.contains("r") ? infos.keys.sorted() : wanted
        var members: [(String, JSONValue)] = []
        for case let info? in shown.map({ infos[$0] }) {
            let closure = flags.contains("S") ? closureSize(of: info.path, infos) : nil
            if isJSON {
                members.append((store.directory.print(info.path), json(info, closure, store.directory)))
                continue
            }
            var columns = [store.directory.print(info.path)]
            func size(_ number: UInt64) -> String {
                padded(flags.contains("h") ? readable(number) : "\(number)", 11)
            }
            if flags.contains("s") { columns.append(size(info.narSize)) }
            if let closure { columns.append(size(closure)) }
            if flags.contains("g") { columns += info.signatures.sorted() }
            Output.standard.write(columns.joined(separator: "\t") + "\n")
        }
        if isJSON { Output.standard.write(JSONValue.object(JSONObject(members)).serialized() + "\n") }
    }

    private static func json(_ info: PathInfo, _ closure: UInt64?, _ directory: StoreDirectory) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("ca", info.contentAddress.map { .string($0) } ?? .null),
            ("deriver", info.deriver.map { .string(directory.print($0)) } ?? .null),
            ("narHash", .string(info.narHash.text(.sri))), ("narSize", info.narSize.json),
            ("references", .array(info.references.sorted().map { .string(directory.print($0)) })),
            ("registrationTime", .integer(info.registrationTime)),
            ("signatures", .array(info.signatures.sorted().map { .string($0) })), ("ultimate", .bool(info.isUltimate)),
        ]
        if let closure { members.insert(("closureSize", closure.json), at: 1) }
        return .object(JSONObject(members))
    }

    private static func closureSize(of path: StorePath, _ infos: [StorePath: PathInfo]) -> UInt64 {
        var seen: Set<StorePath> = [path]
        var pending = [path]
        var sum: UInt64 = 0
        while let next = pending.popLast() {
            guard let info = infos[next] else { continue }
            sum &+= info.narSize
            pending += info.references.filter { seen.insert($0).inserted }
        }
        return sum
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.utf8.count)) + text
    }

    /// `12.3M`, as Nix prints it: in steps of 1024, with one digit after the point.
    private static func readable(_ number: UInt64) -> String {
        var (value, step) = (Double(number), 0)
        let units = ["", "K", "M", "G", "T", "P"]
        repeat {
            value /= 1024
            step += 1
        } while value >= 1024 && step < units.count - 1
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)\(units[step])"
    }
}
