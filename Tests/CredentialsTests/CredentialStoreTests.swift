import Credentials
import JSON
import Kernel
import Testing

@Suite struct CredentialStoreTests {
    private let directory = try? TemporaryDirectory()

    private func path() throws -> String { try #require(directory).path }

    private func write(_ text: String) throws {
        try FileDescriptor.currentDirectory.replaceFile("\(path())/config.json", with: text)
    }

    private func store() throws -> CredentialStore {
        try CredentialStore(directory: path(), searchPath: "\(path())/bin:/usr/bin:/bin")
    }

    @Test func missingFileKnowsNobody() throws {
        #expect(try store().credential(for: "docker.io") == nil)
        #expect(try store().hosts == [])
    }

    @Test(arguments: [
        (#"{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6cGE6c3M="}}}"#, "docker.io"),
        (#"{"auths":{"index.docker.io":{"auth":"bWU6cGE6c3M="}}}"#, "docker.io"),
        (#"{"auths":{"docker.io":{"auth":"bWU6cGE6c3M="}}}"#, "docker.io"),
        (#"{"auths":{"example.com:5000":{"auth":"bWU6cGE6c3M="}}}"#, "example.com:5000"),
        (#"{"auths":{"https://example.com:5000/v2/":{"auth":"bWU6cGE6c3M="}}}"#, "example.com:5000"),
        (#"{"auths":{"example.com":{"username":"me","password":"pa:ss"}}}"#, "example.com"),
        // Padded with NUL bytes, as Docker of long ago did.
        (#"{"auths":{"example.com":{"auth":"bWU6cGE6c3MAAAA="}}}"#, "example.com"),
    ])
    func readsPasswords(_ text: String, _ host: String) throws {
        try write(text)
        #expect(try store().credential(for: host) == .password(username: "me", password: "pa:ss"))
        #expect(try store().credential(for: "other.example.com") == nil)
    }

    @Test func innermostNamespaceComesFirst() throws {
        try write(
            #"""
            {"auths": {"example.com/ns/app": {"username": "app", "password": "1"},
                       "example.com/ns": {"username": "ns", "password": "1"},
                       "example.com": {"username": "all", "password": "1"}}}
            """#)
        let store = try store()
        func user(_ repository: String) throws -> String? {
            guard case .password(let name, _)? = try store.credential(for: "example.com", repository: repository) else {
                return nil
            }
            return name
        }
        #expect(try user("ns/app") == "app")
        #expect(try user("ns/app/part") == "app")
        #expect(try user("ns/apple") == "ns")
        #expect(try user("n") == "all")
        #expect(try user("") == "all")
        // What is for a part is not for the whole.
        try write(#"{"auths": {"example.com/ns": {"username": "ns", "password": "1"}}}"#)
        #expect(try self.store().credential(for: "example.com") == nil)
        #expect(try self.store().credential(for: "example.com", repository: "other/x") == nil)
    }

    @Test func identityTokenComesBeforePassword() throws {
        try write(#"{"auths":{"example.com":{"auth":"bWU6","identitytoken":"refresh"}}}"#)
        #expect(try store().credential(for: "example.com") == .identityToken("refresh"))
    }

    @Test(arguments: [
        "[]", "{", #"{"auths":[]}"#, #"{"credHelpers":"x"}"#, #"{"credsStore":1}"#, "\u{0}",
    ])
    func otherShapesAreExplained(_ text: String) throws {
        try write(text)
        let error = #expect(throws: CredentialError.self) { try store() }
        #expect(error?.code == .invalidConfiguration)
        #expect(try error?.message.contains("\(path())/config.json") == true)
    }

    @Test func entryOfAnotherShapeIsExplained() throws {
        try write(#"{"auths":{"example.com":{"auth":7}}}"#)
        let error = #expect(throws: CredentialError.self) { try store().credential(for: "example.com") }
        #expect(error?.message.contains("example.com") == true)
    }

    /// No base 64; without a colon; without a user name.
    @Test(arguments: ["!!!", "bm9jb2xvbg==", "OnB3"])
    func authThatIsNoneIsExplained(_ auth: String) throws {
        try write(
            #"{"auths":{"example.com":{"auth":"\#(auth)"},"fine.example.com":{"auth":"bWU6cGE6c3M="},"none":{}}}"#)
        let error = #expect(throws: CredentialError.self) { try store().credential(for: "example.com") }
        #expect(error?.code == .invalidConfiguration)
        #expect(try error?.message.contains("\(path())/config.json: auths: example.com: auth has to be") == true)
        // The other registries' are not touched by that.
        #expect(try store().credential(for: "fine.example.com") == .password(username: "me", password: "pa:ss"))
        #expect(try store().credential(for: "none") == nil)
    }

    @Test func savesForTheUserAloneAndKeepsTheRest() throws {
        try write(#"{"psFormat":"{{.ID}}","auths":{"a.example.com":{"auth":"YTpi"}}}"#)
        var store = try store()
        try store.save(.password(username: "me", password: "secret"), for: "docker.io")
        let file = "\(try path())/config.json"
        #expect(try FileDescriptor.currentDirectory.status(of: file).permissions == 0o600)
        let value = try JSONValue(parsing: FileDescriptor.currentDirectory.readFile(file))
        #expect(value["psFormat"] == "{{.ID}}")
        #expect(value["auths"]?["a.example.com"]?["auth"] == "YTpi")
        #expect(value["auths"]?["https://index.docker.io/v1/"]?["auth"] == "bWU6c2VjcmV0")
        // Nothing is left of the way there.
        #expect(try FileDescriptor.currentDirectory.entries(of: path()).map(\.name) == ["config.json"])
    }

    @Test func savesBehindALink() throws {
        let here = FileDescriptor.currentDirectory
        try here.makeDirectory("\(path())/elsewhere")
        try here.makeSymbolicLink("\(path())/config.json", to: "elsewhere/real.json")
        var store = try store()
        try store.save(.identityToken("t"), for: "example.com")
        #expect(try here.readLinkText("\(path())/config.json") == "elsewhere/real.json")
        #expect(try self.store().credential(for: "example.com") == .identityToken("t"))
    }

    @Test func erases() throws {
        try write(#"{"auths":{"https://example.com/v1/":{"auth":"YTpi"},"b.example.com":{"auth":"YTpi"}}}"#)
        var store = try store()
        #expect(try store.erase("example.com"))
        #expect(try !store.erase("example.com"))
        #expect(try self.store().hosts == ["b.example.com"])
    }

    // MARK: Helpers

    /// A helper that keeps what it is given in files beside it.
    private func installHelper(_ body: String) throws {
        let here = FileDescriptor.currentDirectory
        try here.makeDirectories("\(path())/bin")
        try here.replaceFile("\(path())/bin/docker-credential-test", with: "#!/bin/sh\n\(body)\n", mode: 0o755)
    }

    @Test func helperKeepsTheSecret() throws {
        try installHelper(
            """
            cd "$(dirname "$0")"
            case $1 in
            store) cat > kept ;;
            get) [ -e kept ] && { cat kept; exit 0; }; echo 'credentials not found in native keychain'; exit 1 ;;
            erase) cat > erased; rm -f kept ;;
            esac
            """)
        try write(#"{"credsStore":"test"}"#)
        var store = try store()
        #expect(try store.credential(for: "example.com") == nil)
        #expect(!store.keepsInFile("example.com"))
        try store.save(.password(username: "me", password: "secret"), for: "example.com")
        let text = try FileDescriptor.currentDirectory.readText("\(path())/config.json")
        #expect(!text.contains("secret") && !text.contains("bWU6c2VjcmV0"))
        #expect(try self.store().credential(for: "example.com") == .password(username: "me", password: "secret"))
        #expect(try store.erase("example.com"))
        #expect(try FileDescriptor.currentDirectory.readText("\(path())/bin/erased") == "example.com")
    }

    @Test func helperOfOneHostComesFirst() throws {
        try installHelper(#"echo '{"Username":"<token>","Secret":"refresh"}'"#)
        try write(
            #"{"credHelpers":{"example.com":"test"},"credsStore":"missing","auths":{"example.com":{"auth":"YTpi"}}}"#)
        #expect(try store().credential(for: "example.com") == .identityToken("refresh"))
        let error = #expect(throws: CredentialError.self) { try store().credential(for: "other.example.com") }
        #expect(error?.message.contains("docker-credential-missing") == true)
    }

    @Test(arguments: ["echo no such thing; exit 1", "echo '{}'", "echo '<html>'"])
    func failureOfAHelperIsExplained(_ body: String) throws {
        try installHelper(body)
        try write(#"{"credsStore":"test"}"#)
        let error = #expect(throws: CredentialError.self) { try store().credential(for: "example.com") }
        #expect(error?.code == .helperFailed)
    }

    @Test func helperCannotBeAPath() throws {
        try write(#"{"credsStore":"../../bin/sh"}"#)
        let error = #expect(throws: CredentialError.self) { try store().credential(for: "example.com") }
        #expect(error?.code == .helperFailed)
    }
}
