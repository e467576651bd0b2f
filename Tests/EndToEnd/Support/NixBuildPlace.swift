import Foundation
import Testing

/// Two stores, sources for both, and busybox as the only tool.
final class NixBuildPlace {
    let place: NixPlace
    var root: String { place.root }
    var ourStore: String { root + "/our-store" }
    var theirStore: String { root + "/their-store" }

    init() throws {
        place = try NixPlace("nix-build")
        try FileManager.default.createDirectory(atPath: root + "/tools/bin", withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: "/bin/busybox", toPath: root + "/tools/bin/busybox")
        try FileManager.default.createSymbolicLink(
            atPath: root + "/ours/nix-build", withDestinationPath: Programs.directory + "/dhow-nix")
        try write(
            """
            rec {
              tools = ./tools;
              busybox = "${tools}/bin/busybox";
              make = attributes: derivation ({
                system = "x86_64-linux"; builder = busybox; inherit busybox;
              } // attributes // {
                args = [ "sh" "-c" ("$busybox mkdir -p /tmp/bin; $busybox --install -s /tmp/bin; export PATH=/tmp/bin\n"
                  + attributes.script) ];
              });
            }
            """, to: "lib.nix")
    }

    deinit {
        // Directories of a store may not be written to.
        _ = try? place.run("chmod -R u+w our-store their-store kept")
    }

    func write(_ text: String, to name: String) throws { try place.write(text, to: name) }

    func ours(_ command: String, _ more: [String: String] = [:]) throws -> Output {
        try place.ours(command + " --store \(ourStore)", more)
    }

    func theirs(_ command: String) throws -> Output { try place.run(command + " --store \(theirStore)") }

    /// What is in a store, without locks.
    var objects: Set<String> {
        get throws {
            let all = try FileManager.default.contentsOfDirectory(atPath: ourStore + "/nix/store")
            return Set(all.filter { $0 != ".links" && !$0.hasSuffix(".lock") })
        }
    }

    /// Fails unless the store is whole and holds nothing that is not registered.
    func checkStore(_ what: Comment? = nil) throws {
        let valid = try ours("nix-store --dump-db").stdout.split(separator: "\n").filter {
            $0.hasPrefix("/nix/store/")
        }
        let names = Set(valid.compactMap { $0.split(separator: "/").last.map(String.init) })
        #expect(try objects.subtracting(names) == [], what)
        let verified = try place.run("nix-store --store \(ourStore) --verify --check-contents")
        #expect(verified.status == 0 && !verified.stderr.contains("error"), "\(verified.stderr)")
    }
}
