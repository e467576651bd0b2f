import Foundation
import Kernel
import Testing

/// Hashes beside Debian's `nix-hash` and `nix hash`, over inputs made at random. A failure names the seed, with which it
/// can be had again.
@Suite struct NixHashTests {
    /// A file, or a tree in which no two names of a directory are the same.
    private indirect enum Node {
        case file([UInt8], isExecutable: Bool)
        case link([UInt8])
        case directory([[UInt8]: Node])
    }

    private struct Generator: RandomNumberGenerator {
        let seed: UInt64
        private var state: UInt64

        init(_ seed: UInt64 = UInt64.random(in: 0...UInt64.max)) { (self.seed, state) = (seed, seed) }

        /// SplitMix64.
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }

        mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

        /// Any bytes but those that no name may have; now and then a plain one.
        mutating func name() -> [UInt8] {
            let plain: [[UInt8]] = ["-x", "--flat", "a b", "~", "é", "\n", "a\nb", "-", "*", "A", "a", "'", "$x"].map {
                Array($0.utf8)
            }
            if Bool.random(using: &self) { return plain.randomElement(using: &self) ?? [0x61] }
            let name = bytes(Int.random(in: 1...12, using: &self)).map { $0 == 0 || $0 == 0x2F ? 0xFF : $0 }
            return name == [0x2E] || name == [0x2E, 0x2E] ? [0xFF] : name
        }

        mutating func node(depth: Int) -> Node {
            switch Int.random(in: 0..<(depth > 0 ? 10 : 5), using: &self) {
            case 0: return .link(name() + [0x2F] + name())
            case 1...4:
                let size = [0, 1, 7, 8, 9, 63, 64, 65, 4095, 4096, 4097].randomElement(using: &self) ?? 0
                return .file(bytes(size), isExecutable: Bool.random(using: &self))
            default:
                var entries: [[UInt8]: Node] = [:]
                for _ in 0..<Int.random(in: 0...6, using: &self) { entries[name()] = node(depth: depth - 1) }
                return .directory(entries)
            }
        }
    }

    /// A directory in which both sides work.
    private final class Place {
        let scratch: ScratchDirectory
        var ours: String { scratch.file("bin/nix-hash") }

        init() throws {
            scratch = try ScratchDirectory("nix-hash")
            try FileManager.default.createDirectory(atPath: scratch.file("bin"), withIntermediateDirectories: true)
            try FileManager.default.createDirectory(atPath: scratch.file("in"), withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(
                atPath: ours, withDestinationPath: Programs.directory + "/dhow-nix")
        }

        deinit {
            // Foundation cannot remove what is not named in UTF-8.
            _ = try? Shell.run(["rm", "-rf", scratch.file("in")])
        }

        func make(_ node: Node, at path: [UInt8]) throws {
            let here = FileDescriptor.currentDirectory
            switch node {
            case .file(let bytes, let isExecutable):
                let file = try FileDescriptor.open(
                    path, [.writeOnly, .create, .exclusive], mode: isExecutable ? 0o755 : 0o644)
                try file.writeAll(bytes)
            case .link(let target): try here.makeSymbolicLink(path, to: target)
            case .directory(let entries):
                try here.makeDirectory(path)
                for (name, entry) in entries { try make(entry, at: path + [0x2F] + name) }
            }
        }

        func make(_ node: Node, named name: [UInt8]) throws {
            try make(node, at: Array(scratch.file("in/").utf8) + name)
        }

        func run(_ command: [String]) throws -> Output {
            try Shell.run(command, environment: ["NIX_CONF_DIR": "/nonexistent"], directory: scratch.file("in"))
        }

        /// Runs a command for all inputs at once, whose names no argument of ours could hold.
        func runOnAll(_ command: [String]) throws -> Output {
            try run(["/bin/sh", "-c", "exec \"$@\" ./*", "sh"] + command)
        }
    }

    private static let nix = ["nix", "--extra-experimental-features", "nix-command"]
    private static let types = ["md5", "sha1", "sha256", "sha512"]

    @Test func treesAndFilesHashAsByNix() throws {
        let place = try Place()
        var random = Generator()
        let comment = Comment(rawValue: "seed \(random.seed)")
        // Around the blocks of each function, and the pieces in which files are read.
        for size in [
            0, 1, 55, 56, 57, 63, 64, 65, 111, 112, 119, 120, 127, 128, 129, 4095, 4096, 4097, 32767, 32768, 32769,
            131_071, 131_072, 131_073, 1 << 20, (1 << 20) + 1,
        ] {
            try place.make(.file(random.bytes(size), isExecutable: size % 2 == 0), named: Array("\(size)".utf8))
        }
        for number in 0..<40 {
            try place.make(random.node(depth: 4), named: Array("\(number)-".utf8) + random.name())
        }
        try place.make(.directory([:]), named: Array("empty".utf8))
        try place.make(.link(Array("nowhere".utf8)), named: Array("dangling".utf8))

        for type in [[]] + Self.types.map({ ["--type", $0] }) {
            for truncate in [[], ["--truncate"]] {
                for base in [[], ["--base32"]] {
                    let flags = type + truncate + base
                    let theirs = try place.runOnAll(["nix-hash"] + flags)
                    let ours = try place.runOnAll([place.ours] + flags)
                    #expect(theirs.status == 0, "\(theirs)")
                    #expect(theirs.lines.count >= 60, comment)
                    #expect(ours.stdout == theirs.stdout, comment)
                    #expect(ours.status == 0, "\(comment): \(ours)")
                }
            }
            guard !type.isEmpty else { continue }
            // What Debian's nix-hash has not got yet, its `nix hash` has.
            for base in ["--base16", "--base32", "--base64", "--sri"] {
                let theirs = try place.runOnAll(Self.nix + ["hash", "path", base] + type)
                #expect(theirs.status == 0, "\(theirs)")
                for command in [
                    [place.ours, base] + type, [Programs.dhow, "nix", "hash", "path", base] + type,
                    [Programs.dhow, "nix", "hash", base] + type,
                    [Programs.directory + "/dhow-nix", "hash", "path", "--algo", type[1]]
                        + ["--format", base == "--base32" ? "nix32" : String(base.dropFirst(2))],
                ] {
                    let ours = try place.runOnAll(command)
                    #expect(ours.stdout == theirs.stdout, "\(comment): \(command)")
                }
            }
        }
    }

    @Test func filesAloneHashAsByNix() throws {
        let place = try Place()
        var random = Generator()
        let comment = Comment(rawValue: "seed \(random.seed)")
        for number in 0..<60 {
            let size = Int.random(in: 0...300_000, using: &random)
            try place.make(
                .file(random.bytes(size), isExecutable: false), named: Array("\(number)-".utf8) + random.name())
        }
        // A link counts as what it leads to.
        try place.make(.file(Array("there".utf8), isExecutable: false), named: Array("zz".utf8))
        try place.make(.link(Array("zz".utf8)), named: Array("zy".utf8))
        for type in Self.types {
            for flags in [[], ["--truncate"], ["--base32"], ["--base32", "--truncate"]] {
                let flags = ["--flat", "--type", type] + flags
                let theirs = try place.runOnAll(["nix-hash"] + flags)
                #expect(theirs.lines.count == 62, "\(theirs)")
                #expect(try place.runOnAll([place.ours] + flags).stdout == theirs.stdout, comment)
            }
            for base in ["--base16", "--base32", "--base64", "--sri"] {
                let theirs = try place.runOnAll(Self.nix + ["hash", "file", "--type", type, base])
                let ours = try place.runOnAll([Programs.dhow, "nix", "hash", "file", "--type", type, base])
                #expect(theirs.lines.count == 62, "\(theirs)")
                #expect(ours.stdout == theirs.stdout, comment)
                #expect(
                    try place.runOnAll([place.ours, "--flat", "--type", type, base]).stdout == theirs.stdout, comment)
            }
        }
    }

    @Test func conversionsAreNixs() throws {
        let place = try Place()
        var random = Generator()
        let comment = Comment(rawValue: "seed \(random.seed)")
        let sizes = ["md5": 16, "sha1": 20, "sha256": 32, "sha512": 64]
        for type in Self.types {
            let digests = (0..<20).map { _ in
                random.bytes(sizes[type] ?? 0).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            }
            var texts = digests + digests.prefix(3).map { $0.uppercased() }
            for base in ["base16", "base32", "base64", "sri"] {
                let theirs = try place.run(Self.nix + ["hash", "to-\(base)", "--type", type] + digests)
                #expect(theirs.lines.count == digests.count, "\(theirs)")
                texts += theirs.lines
                if base != "sri" { texts += theirs.lines.map { "\(type):\($0)" } }
                // An end without padding is wrong, and accepted.
                if base == "sri" { texts += theirs.lines.map { $0.filter { $0 != "=" } } }
            }
            for base in ["base16", "base32", "base64", "sri"] {
                let theirs = try place.run(Self.nix + ["hash", "to-\(base)", "--type", type] + texts)
                #expect(theirs.lines.count == texts.count, "\(comment): \(theirs)")
                let name = base == "base32" ? "nix32" : base
                for command in [
                    [place.ours, "--to-\(base)", "--type", type],
                    [Programs.dhow, "nix", "hash", "to-\(base)", "--type", type],
                    [Programs.dhow, "nix", "hash", "convert", "--to", name, "--algo", type],
                ] {
                    #expect(try place.run(command + texts).stdout == theirs.stdout, "\(comment): \(command)")
                }
                guard base != "sri", base != "base64" else { continue }
                let old = try place.run(["nix-hash", "--to-\(base)", "--type", type] + texts)
                #expect(old.stdout == theirs.stdout, "\(old)")
            }
            for (text, format) in [(digests[0], "base16"), (texts.last ?? "", "sri")] {
                for from in ["base16", "nix32", "base64", "sri"] {
                    let output = try place.run([
                        Programs.dhow, "nix", "hash", "convert", "--hash-algo", type, "--from", from, text,
                    ])
                    #expect(output.status == (from == format ? 0 : 1), "\(from) \(text): \(output)")
                    let isSaid = output.stderr.contains("has format '\(format)', but '--from \(from)' was specified")
                    #expect(isSaid == (from != format))
                }
            }
        }
    }

    @Test func whatIsWrongIsWrongForBoth() throws {
        let place = try Place()
        var random = Generator()
        let comment = Comment(rawValue: "seed \(random.seed)")
        let valid = [
            "d41d8cd98f00b204e9800998ecf8427e", "1B2M2Y8AsgTpgAmY7PhCfg==", "md5-1B2M2Y8AsgTpgAmY7PhCfg==",
            "md5:3y8bwfr609h3lh9ch0izcqq7fl", "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709",
        ]
        for _ in 0..<60 {
            var text = Array((valid.randomElement(using: &random) ?? "").utf8)
            let at = Int.random(in: 0..<text.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: text.remove(at: at)
            case 1: text[at] = UInt8.random(in: 33...126, using: &random)
            case 2: text.insert(UInt8.random(in: 33...126, using: &random), at: at)
            default: text = Array(text[..<at])
            }
            let command = ["--to-base32", "--type", "md5", String(decoding: text, as: UTF8.self)]
            try compare(place, command, comment)
        }
        try place.make(.file([1], isExecutable: false), named: Array("file".utf8))
        try place.make(.directory(["x".utf8.map { $0 }: .file([], isExecutable: true)]), named: Array("tree".utf8))
        try Shell.check(["mkfifo", place.scratch.file("in/fifo")])
        for command in [
            [], ["missing"], ["file", "missing", "file"], ["--flat", "missing"], ["--flat", "tree"], ["fifo"], [""],
            ["--type"], ["file", "--type"], ["--type", "md4", "file"], ["--type", "", "file"], ["--nope", "file"],
            ["--flat=1", "file"], ["--type=md5", "file"], ["-", "file"], ["--", "file"], ["-v", "file"],
            ["--quiet", "-Q", "file"], ["--option", "cores", "1", "file"], ["--option", "cores"],
            ["--type", "sha1", "--type", "sha256", "file"], ["--to-base16", "--to-base32", valid[0]],
            ["--base32", "--to-base16", valid[0]], ["--to-base32"], ["--to-base32", valid[0], "x", valid[0]],
            ["--to-base16", "--type", "sha1", valid[0]], ["--flat", "--truncate", "--base32", "file", "file"],
        ] {
            try compare(place, command, comment)
        }
        // Of what only newer ones know.
        for command in [
            ["path", "--mode", "git", "file"], ["path", "--format", "base63", "file"], ["path", "--nope", "file"],
            ["convert", "--to", "base63", valid[0]], ["convert", valid[0]], ["convert", "--from"], ["nope"], [],
            ["file", "--mode", "nar", "file"], ["to-sri", valid[0]], ["path", "--algo", "md4", "file"],
        ] {
            let ours = try place.run([Programs.dhow, "nix", "hash"] + command)
            #expect(ours.status == 1, "\(command): \(ours)")
            #expect(ours.stderr.hasPrefix("error: "), "\(command): \(ours)")
            #expect(ours.stdout == "", "\(command)")
        }
    }

    private func compare(_ place: Place, _ arguments: [String], _ comment: Comment) throws {
        let theirs = try place.run(["nix-hash"] + arguments)
        let ours = try place.run([place.ours] + arguments)
        #expect(ours.status == theirs.status, "\(comment): \(arguments): \(ours) \(theirs)")
        #expect(ours.stdout == theirs.stdout, "\(comment): \(arguments): \(ours) \(theirs)")
        #expect(ours.stderr.contains("error: ") == theirs.stderr.contains("error: "), "\(comment): \(arguments)")
    }

    /// Nix 2.8 has no BLAKE3: the function is `BLAKE3Tests`'s, this is that the commands know it.
    @Test func commandsKnowBLAKE3() throws {
        let place = try Place()
        try place.make(.file((0..<102_400).map { UInt8($0 % 251) }, isExecutable: false), named: Array("x".utf8))
        let digest = "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"
        #expect(try place.run([place.ours, "--flat", "--type", "blake3", "x"]).text == digest)
        let text = try place.run([Programs.dhow, "nix", "hash", "file", "--type", "blake3", "x"]).text
        #expect(text.hasPrefix("blake3-"))
        #expect(try place.run([Programs.dhow, "nix", "hash", "convert", "--to", "base16", text]).text == digest)
    }
}
