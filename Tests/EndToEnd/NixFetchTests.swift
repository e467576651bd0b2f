import Foundation
import Testing

/// What expressions fetch, beside Debian's Nix: each has its own store and its own memory.
@Suite struct NixFetchTests {
    /// Serves a directory, as servers do and as they do not.
    private static let server = """
        import base64, hashlib, http.server, os, sys
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_GET(self):
                with open("requests", "a") as log: log.write(self.path + "\\n")
                name = self.path.lstrip("/")
                if name.startswith("secret/"):
                    name = name[7:]
                    if self.headers.get("Authorization") != "Basic " + base64.b64encode(b"me:word").decode():
                        return self.answer(401, b"")
                cut = name.startswith("cut/")
                if cut: name = name[4:]
                if not os.path.isfile(name): return self.answer(404, b"nothing here")
                data = open(name, "rb").read()
                tag = '"' + hashlib.sha256(data).hexdigest() + '"'
                if self.headers.get("If-None-Match") == tag: return self.answer(304, b"", tag)
                if cut:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(data) + 1000))
                    self.end_headers()
                    self.wfile.write(data)
                    self.close_connection = True
                    return
                self.answer(200, data, tag)
            def answer(self, status, data, tag=None):
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                if tag: self.send_header("ETag", tag)
                self.end_headers()
                self.wfile.write(data)
            def log_message(self, *arguments): pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        open("port.new", "w").write(str(server.server_address[1]))
        os.rename("port.new", "port")
        server.serve_forever()
        """

    /// A server and files that it serves: `file`, `tree.tar.gz` and the like.
    private final class Site {
        let place: NixPlace
        private let child: Child
        let address: String

        init() throws {
            place = try NixPlace("nix-fetch")
            try place.write(NixFetchTests.server, to: "server.py")
            try place.write("hello\n", to: "file")
            let script = """
                mkdir -p tree/sub two/a two/b && echo one > tree/one && printf '#!/bin/sh' > tree/sub/run && \
                chmod +x tree/sub/run && ln -s sub/run tree/link && echo hidden > tree/.wh.name && \
                tar czf tree.tar.gz tree && tar cJf tree.tar.xz tree && tar cf tree.tar tree && \
                (cd two && tar cf ../two.tar a b) && head -c 100 tree.tar.gz > half.tar.gz && echo text > text.tar && \
                python3 -c 'import io, tarfile
                t = tarfile.open("climb.tar", "w")
                for name in ["top/a", "top/../../../climbed"]:
                    i = tarfile.TarInfo(name); i.size = 2; t.addfile(i, io.BytesIO(b"x\\n"))
                t.close()'
                """
            let made = try place.run(script.split(separator: "\n").joined(separator: "\n"))
            #expect(made.status == 0, "\(made)")
            child = try Child(["python3", "server.py"], directory: place.root)
            let port = place.root + "/port"
            #expect(eventually { FileManager.default.fileExists(atPath: port) })
            address = "http://127.0.0.1:\(try String(contentsOfFile: port, encoding: .utf8))"
        }

        deinit { kill(child.pid, SIGTERM) }

        func ours(_ expression: String, _ options: String = "") throws -> Output {
            try place.ours(
                "nix-instantiate --store \(place.root)/our-store --eval --strict \(options) -E '\(expression)'",
                ["XDG_CACHE_HOME": place.root + "/our-cache"])
        }

        func theirs(_ expression: String, _ options: String = "") throws -> Output {
            try place.run(
                "nix-instantiate --store \(place.root)/their-store --eval --strict \(options) -E '\(expression)'",
                ["XDG_CACHE_HOME": place.root + "/their-cache"])
        }

        /// How often something has been asked for.
        func count(of path: String) -> Int {
            let log = (try? String(contentsOfFile: place.root + "/requests", encoding: .utf8)) ?? ""
            return log.split(separator: "\n").filter { $0 == path }.count
        }

        func expectSame(_ expression: String, _ options: String = "", line: Int = #line) throws {
            let (ours, theirs) = (try ours(expression, options), try theirs(expression, options))
            #expect(ours.status == 0, "\(expression): \(ours.stderr)")
            #expect(ours.stdout == theirs.stdout, "\(expression): \(ours.stderr) \(theirs.stderr)")
        }
    }

    private static func lastLines(_ text: String) -> String {
        guard let start = text.range(of: "error: ", options: .backwards) else { return text }
        return text[start.upperBound...].split(separator: "\n").map {
            $0.trimmingCharacters(in: .whitespaces)
        }.filter { !$0.hasPrefix("(use '--show-trace'") }.joined(separator: "\n")
    }

    @Test func filesAndTreesAreNixs() throws {
        let site = try Site()
        let (web, files) = (site.address, "file://" + site.place.root)
        for base in [web, files] {
            try site.expectSame("builtins.fetchurl \"\(base)/file\"")
            try site.expectSame("builtins.readFile (builtins.fetchurl { url = \"\(base)/file\"; name = \"n\"; })")
            for name in ["tree.tar.gz", "tree.tar.xz", "tree.tar"] {
                try site.expectSame("fetchTarball \"\(base)/\(name)\"")
            }
            try site.expectSame("builtins.readDir (fetchTarball { url = \"\(base)/tree.tar.gz\"; name = \"t\"; })")
            try site.expectSame("builtins.readFile <one>", "-I \(base)/tree.tar.gz")
            try site.expectSame("builtins.readFile <p/one>", "-I p=\(base)/tree.tar.gz")
        }
        let verified = try Shell.run(
            ["nix-store", "--store", site.place.root + "/our-store", "--verify", "--check-contents"],
            environment: site.place.environment)
        #expect(verified.status == 0 && !verified.stderr.contains("modified"), "\(verified)")
        withExtendedLifetime(site) {}
    }

    @Test func hashesAreChecked() throws {
        let site = try Site()
        let zeros = String(repeating: "0", count: 52)
        for (function, name) in [("builtins.fetchurl", "file"), ("fetchTarball", "tree.tar.gz")] {
            let wrong = "\(function) { url = \"\(site.address)/\(name)\"; sha256 = \"\(zeros)\"; name = \"n\"; }"
            let (ours, theirs) = (try site.ours(wrong), try site.theirs(wrong))
            #expect(ours.status == 1)
            #expect(Self.lastLines(ours.stderr) == Self.lastLines(theirs.stderr))
            let got = Self.lastLines(ours.stderr).components(separatedBy: "sha256:").last ?? ""
            let right = wrong.replacingOccurrences(of: zeros, with: got)
            try site.expectSame(right)
            // Pure evaluation takes what a hash fixes, and nothing else.
            try site.expectSame(right, "--pure-eval")
            let free = "\(function) \"\(site.address)/\(name)\""
            #expect(try site.ours(free, "--pure-eval").status == 1)
        }
        withExtendedLifetime(site) {}
    }

    @Test func answersAreRemembered() throws {
        let site = try Site()
        let expression = "fetchTarball \"\(site.address)/tree.tar.gz\""
        _ = try site.ours(expression)
        _ = try site.ours(expression)
        #expect(site.count(of: "/tree.tar.gz") == 1)
        // Old: asked again, and not sent again.
        _ = try site.ours(expression, "--option tarball-ttl 0")
        #expect(site.count(of: "/tree.tar.gz") == 2)
        // Nix goes by what is remembered here, and the other way round.
        let theirs = try site.place.run(
            "nix-instantiate --store \(site.place.root)/our-store --eval -E '\(expression)'",
            ["XDG_CACHE_HOME": site.place.root + "/our-cache"])
        #expect(theirs.stdout == (try site.ours(expression).stdout))
        #expect(site.count(of: "/tree.tar.gz") == 2)
        let file = "builtins.fetchurl \"\(site.address)/file\""
        _ = try site.theirs(file)
        let ours = try site.place.ours(
            "nix-instantiate --store \(site.place.root)/their-store --eval -E '\(file)'",
            ["XDG_CACHE_HOME": site.place.root + "/their-cache"])
        #expect(ours.stdout == (try site.theirs(file).stdout))
        #expect(site.count(of: "/file") == 1)
        // Changed: fetched anew.
        try site.place.write("changed\n", to: "file")
        let changed = try site.ours("builtins.readFile (\(file))", "--option tarball-ttl 0")
        #expect(changed.stdout == "\"changed\\n\"\n")
        withExtendedLifetime(site) {}
    }

    @Test func whatIsWrongIsRefused() throws {
        let site = try Site()
        let quick = "--option download-attempts 1"
        for (expression, reason) in [
            ("builtins.fetchurl \"URL/none\"", "HTTP error 404"),
            ("builtins.fetchurl \"URL/cut/file\"", "unable to download"),
            ("fetchTarball \"URL/cut/tree.tar\"", "unable to download"),
            ("fetchTarball \"URL/half.tar.gz\"", "truncated"), ("fetchTarball \"URL/text.tar\"", "cannot unpack"),
            ("fetchTarball \"URL/two.tar\"", "contains an unexpected number of top-level files"),
            ("fetchTarball \"URL/climb.tar\"", "cannot unpack"),
            ("builtins.fetchurl \"URL/secret/file\"", "netrc-file"),
            ("builtins.fetchurl \"ftp://127.0.0.1/x\"", "is no address that can be fetched"),
            ("builtins.fetchurl \"file:///nonexistent/x\"", "no such file"),
            ("builtins.fetchurl \"http://127.0.0.1:1/x\"", "unable to download"),
        ] {
            let ours = try site.ours(expression.replacingOccurrences(of: "URL", with: site.address), quick)
            #expect(ours.status == 1, "\(expression)")
            #expect(ours.stderr.contains(reason), "\(expression): \(ours.stderr)")
        }
        let objects = try FileManager.default.contentsOfDirectory(atPath: site.place.root + "/our-store/nix/store")
        #expect(objects.filter { $0 != ".links" } == [])
        #expect(!FileManager.default.fileExists(atPath: site.place.root + "/climbed"))
        let login = "machine 127.0.0.1 login me password word\n"
        try site.place.write(login, to: "netrc")
        #expect(try site.ours("builtins.readFile (builtins.fetchurl \"\(site.address)/secret/file\")").status == 0)
        withExtendedLifetime(site) {}
    }

    @Test func restrictedEvaluationFetchesWhereItMay() throws {
        let site = try Site()
        let url = "builtins.fetchurl \"\(site.address)/file\""
        let refused = try site.ours(url, "--restrict-eval")
        #expect(refused.stderr.contains("access to URI '\(site.address)/file' is forbidden in restricted mode"))
        for allowed in [site.address, site.address + "/", site.address + "/file", "http://127.0.0.1"] {
            let option = "--restrict-eval --option allowed-uris \(allowed)"
            let (ours, theirs) = (try site.ours(url, option), try site.theirs(url, option))
            #expect(ours.status == theirs.status, "\(allowed)")
            #expect(ours.stdout == theirs.stdout, "\(allowed)")
        }
        let file = "builtins.fetchurl \"file://\(site.place.root)/file\""
        #expect(try site.ours(file, "--restrict-eval").status == 1)
        try site.expectSame(file, "--restrict-eval -I \(site.place.root)")
        withExtendedLifetime(site) {}
    }

    @Test func repositoriesAreNixs() throws {
        let site = try Site()
        let repository = site.place.root + "/repository"
        let script = """
            export GIT_CONFIG_GLOBAL=/dev/null
            git init -q -b main repository && cd repository && git config user.email a@b && git config user.name a &&
            echo one > file && mkdir folder && printf run > folder/run && chmod +x folder/run && ln -s file link &&
            echo secret > left-out && echo 'left-out export-ignore' > .gitattributes && git add . && git commit -qm one &&
            git branch side && git tag first && echo two >> file && git commit -qam two && cd .. &&
            git clone -q --bare repository bare.git && git clone -q --depth 1 file://$PWD/repository shallow
            """
        let made = try site.place.run(script)
        #expect(made.status == 0, "\(made)")
        let side = try site.place.run("git -C repository rev-parse side").text
        let requests = [
            "\(repository)", "{ url = \"\(repository)\"; ref = \"side\"; }",
            "{ url = \"file://\(repository)\"; ref = \"refs/tags/first\"; name = \"named\"; }",
            "{ url = \"file://\(repository)\"; rev = \"\(side)\"; }",
            "{ url = \"file://\(repository)\"; rev = \"\(side)\"; shallow = true; }",
            "{ url = \"file://\(site.place.root)/bare.git\"; ref = \"side\"; }",
            "{ url = \"file://\(site.place.root)/bare.git\"; ref = \"main\"; allRefs = true; }",
            "{ url = \"\(site.place.root)/shallow\"; shallow = true; }",
        ]
        for request in requests { try site.expectSame("builtins.fetchGit \(request)") }
        for wrong in [
            "\(site.place.root)/shallow", "\(site.place.root)/nowhere", "\(site.place.root)",
            "{ url = \"\(repository)\"; ref = \"none\"; }", "{ url = \"\(repository)\"; ref = \"--upload-pack=x\"; }",
            "{ url = \"\(repository)\"; rev = \"\(String(repeating: "0", count: 40))\"; }",
            "{ url = \"\(repository)\"; rev = \"HEAD\"; }", "{ url = \"ext::sh -c touch% ran\"; }",
        ] {
            #expect(try site.ours("builtins.fetchGit \(wrong)").status == 1, "\(wrong)")
            #expect(try site.theirs("builtins.fetchGit \(wrong)").status == 1, "\(wrong)")
        }
        #expect(!FileManager.default.fileExists(atPath: site.place.root + "/ran"))
        // Changes that are not committed are taken as they are, and what Git does not know of is not.
        _ = try site.place.run("echo three >> repository/file; echo new > repository/new; rm repository/left-out")
        let changed = "builtins.readDir (builtins.fetchGit \(repository)).outPath"
        let (ours, theirs) = (try site.ours(changed), try site.theirs(changed))
        #expect(ours.stdout == theirs.stdout)
        #expect(ours.stderr.contains("warning: Git tree '\(repository)' is dirty"))
        #expect(try site.ours(changed, "--option warn-dirty false").stderr == "")
        withExtendedLifetime(site) {}
    }
}
