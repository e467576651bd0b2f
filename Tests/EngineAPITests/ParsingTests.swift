import EngineAPI
import EngineModel
import Glibc
import Testing

@Suite struct ParsingTests {
    @Test func routesByMethodAndPath() {
        var router = Router()
        router.get("/images/json") { _ in .text("list") }
        router.get("/images/{name:.*}/json") { _ in .text("inspect") }
        router.delete("/images/{name:.*}") { _ in .text("remove") }
        router.get("/containers/{id}/json") { _ in .text("container") }
        #expect(router.find(.GET, "/images/json")?.parameters == [:])
        #expect(router.find(.GET, "/images/a/json")?.parameters == ["name": "a"])
        #expect(router.find(.GET, "/images/localhost:5000/a/b:c/json")?.parameters == ["name": "localhost:5000/a/b:c"])
        #expect(router.find(.DELETE, "/images/a/b")?.parameters == ["name": "a/b"])
        #expect(router.find(.GET, "/containers/x/json")?.parameters == ["id": "x"])
        #expect(router.find(.GET, "/containers/x/y/json") == nil)
        #expect(router.find(.POST, "/images/json") == nil)
        #expect(router.find(.GET, "/images") == nil)
        #expect(router.find(.GET, "/") == nil)
        #expect(router.find(.GET, "") == nil)
    }

    @Test func readsQueriesAsDockerDoes() throws {
        let query = try HTTPQuery("a=1&b=&c&d=x%20y+z&d=2&no=False&none=none&n=-5&bad=5x&e%3D=f")
        #expect(query["a"] == "1" && query["b"] == "" && query["c"] == "" && query["missing"] == nil)
        #expect(query.all("d") == ["x y z", "2"] && query["e="] == "f")
        #expect(query.flag("a") && !query.flag("b") && !query.flag("no") && !query.flag("none") && query.flag("d"))
        #expect(query.flag("missing", default: true))
        #expect(try query.integer("n") == -5)
        #expect(try query.integer("missing") == nil)
        #expect(throws: HTTPFailure.self) { try query.integer("bad") }
        #expect(throws: HTTPFailure.self) { try HTTPQuery("a=%g0") }
        #expect(throws: HTTPFailure.self) { try HTTPQuery("a=%4") }
    }

    @Test func takesTheVersionOffThePath() throws {
        let versioned = try APIVersion.split("/v1.43/info")
        #expect(versioned.version == APIVersion(major: 1, minor: 43) && versioned.path == "/info")
        let plain = try APIVersion.split("/volumes/v1.2")
        #expect(plain.version == nil && plain.path == "/volumes/v1.2")
        #expect(try APIVersion.split("/version").version == nil)
        for path in ["/v1.99/info", "/v2.0/info", "/v1.21/info", "/v0.1/info"] {
            #expect(throws: HTTPFailure.self) { try APIVersion.split(path) }
        }
        #expect(
            #expect(throws: HTTPFailure.self) { try APIVersion.split("/v1.99/info") }?.message
                == "client version 1.99 is too new. Maximum supported API version is 1.50")
    }

    @Test func readsDetachKeys() throws {
        #expect(try DetachSequence.parse("ctrl-p,ctrl-q") == [16, 17])
        #expect(try DetachSequence.parse("a,ctrl-@,ctrl-[,ctrl-_") == [97, 0, 27, 31])
        for text in ["", "ctrl-", "ctrl-1", "ab", "a,,b", "ctrl-pp"] {
            #expect(throws: HTTPFailure.self) { try DetachSequence.parse(text) }
        }
    }

    @Test func holdsBackTheBeginningOfDetachKeys() {
        var keys = DetachSequence(keys: [16, 17])
        #expect(keys.filter([1, 16]).bytes == [1])
        #expect(keys.filter([2]).bytes == [16, 2])
        #expect(keys.filter([16, 16]).bytes == [16])
        let last = keys.filter([17, 3])
        #expect(last.bytes == [] && last.isComplete)
        var one = DetachSequence(keys: [24])
        let left = one.filter([1, 24, 2])
        #expect(left.bytes == [1] && left.isComplete)
    }

    @Test func readsListenAddresses() throws {
        #expect(try ListenAddress("unix:///run/x.sock") == .unix(path: "/run/x.sock"))
        #expect(try ListenAddress("fd://") == .activated(.all))
        #expect(try ListenAddress("fd://4") == .activated(.descriptor(4)))
        #expect(try ListenAddress("fd://docker") == .activated(.name("docker")))
        #expect(try ListenAddress("tcp://") == .tcp(host: "127.0.0.1", port: 2375))
        #expect(try ListenAddress("tcp://0.0.0.0:1") == .tcp(host: "0.0.0.0", port: 1))
        #expect(try ListenAddress("tcp://[::1]:99") == .tcp(host: "::1", port: 99))
        for text in [
            "", "x", "unix://rel", "http://x", "tcp://a:0", "tcp://a:65536", "tcp://a:b", "fd://1", "tcp://h:1/p",
        ] {
            #expect(throws: ListenError.self) { try ListenAddress(text) }
        }
    }

    @Test func selectsActivatedSockets() throws {
        let activation = SocketActivation(count: "2", names: "docker.socket:other")
        #expect(try activation.select(.all).map(\.descriptor) == [3, 4])
        #expect(try activation.select(.name("docker")).map(\.descriptor) == [3])
        #expect(try activation.select(.descriptor(4)).map(\.descriptor) == [4])
        #expect(throws: ListenError.self) { try activation.select(.name("none")) }
        #expect(throws: ListenError.self) { try SocketActivation().select(.all) }
        #expect(SocketActivation(count: "-1").sockets.isEmpty && SocketActivation(count: "x").sockets.isEmpty)
    }

    @Test func listensOnlyWhereNobodyDoes() throws {
        let path = "/tmp/engine-api-listen-\(getpid()).sock"
        let first = try ListeningSocket.unix(path: path, group: "", isGroupRequired: false) { _ in }
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o660)
        #expect(throws: ListenError.self) {
            try ListeningSocket.unix(path: path, group: "", isGroupRequired: false) { _ in }
        }
        // What a dead server left is replaced.
        close(first.descriptor)
        let second = try ListeningSocket.unix(path: path, group: "", isGroupRequired: false) { _ in }
        close(second.descriptor)
        unlink(path)
        // A file that is no socket is left alone.
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        #expect(throws: ListenError.self) {
            try ListeningSocket.unix(path: path, group: "", isGroupRequired: false) { _ in }
        }
        #expect(access(path, F_OK) == 0)
        unlink(path)
        #expect(throws: ListenError.self) {
            try ListeningSocket.unix(path: path, group: "no-such-group", isGroupRequired: true) { _ in }
        }
        #expect(access(path, F_OK) != 0)
        #expect(throws: ListenError.self) {
            try ListeningSocket.unix(
                path: "/tmp/" + String(repeating: "x", count: 200), group: "", isGroupRequired: false
            ) { _ in }
        }
    }

    @Test func encodesBase64() {
        #expect(
            ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map { base64(Array($0.utf8)) }
                == ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"])
    }
}
