import Credentials
import OCI
import Testing

@testable import Registry

@Suite struct AuthenticationTests {
    @Test func challengesAreParsed() {
        #expect(
            Challenge.parse([
                #"Bearer realm="https://auth.example.com/token",service="a, b",scope="repository:x:pull,push""#
            ])
                == [
                    Challenge(
                        scheme: "bearer",
                        parameters: [
                            "realm": "https://auth.example.com/token", "service": "a, b",
                            "scope": "repository:x:pull,push",
                        ])
                ])
        #expect(
            Challenge.parse(["BASIC Realm=\"a \\\"b\\\"\""]) == [
                Challenge(scheme: "basic", parameters: ["realm": "a \"b\""])
            ])
        let two = Challenge.parse([#"Basic realm="x", Bearer realm=y, service="z""#])
        #expect(two.map(\.scheme) == ["basic", "bearer"])
        #expect(two.last?.parameters == ["realm": "y", "service": "z"])
        #expect(
            Challenge.parse(["", ",,,", "Negotiate", "Bearer realm=\"open"]).map(\.scheme) == ["negotiate", "bearer"])
    }

    private static let refusal = TestAnswer.error(401, "UNAUTHORIZED", "authentication required")

    /// A registry whose tokens come from `/token` of the same server.
    private func tokenServer(
        _ image: TestImage, token: @escaping @Sendable (TestRequest) -> TestAnswer
    ) async throws -> TestServer {
        try await TestServer { request in
            if request.path == "/token" { return token(request) }
            guard request.header("Authorization") == "Bearer good" else {
                var answer = Self.refusal
                let host = request.header("Host") ?? ""
                answer.headers.append(
                    (
                        "WWW-Authenticate",
                        #"Bearer realm="http://\#(host)/token",service="test",scope="repository:app:pull""#
                    ))
                return answer
            }
            return image.respond(request)
        }
    }

    @Test func anonymousToken() async throws {
        let image = try TestImage()
        let server = try await tokenServer(image) { _ in .json(#"{"token":"good","expires_in":300}"#) }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let store = MemoryStore()
            let found = try await repository.image(.tag("1"), platform: nil)
            try await repository.download(found.layers, into: store) { _ in }
            #expect(store.blobs.count == 2)
        }
        let questions = server.requests("GET", "/token")
        // One for the transfer, however many requests it has.
        #expect(questions.count == 1)
        #expect(questions.first?.header("Authorization") == nil)
        #expect(questions.first?.query == "service=test&scope=repository:app:pull")
    }

    @Test func passwordGoesToTheTokenServerAlone() async throws {
        let image = try TestImage()
        let server = try await tokenServer(image) { request in
            request.header("Authorization") == "Basic bWU6c2VjcmV0"
                ? .json(#"{"access_token":"good"}"#) : .error(401, "UNAUTHORIZED", "incorrect username or password")
        }
        try await withClient { client in
            let reference = try ImageReference("\(server.host)/app")
            let good = try client.repository(reference, credential: .password(username: "me", password: "secret"))
            _ = try await good.manifest(.tag("1"))
            let bad = try client.repository(reference, credential: .password(username: "me", password: "wrong"))
            let error = await registryError { _ = try await bad.manifest(.tag("1")) }
            #expect(error?.code == .unauthorized)
            #expect(error?.message.contains("unauthorized: incorrect username or password") == true)
            #expect(error?.message.contains(server.host) == true)
        }
        for request in server.requests where request.path != "/token" {
            #expect(request.header("Authorization")?.hasPrefix("Basic") != true)
        }
    }

    @Test func identityTokenIsExchanged() async throws {
        let image = try TestImage()
        let server = try await tokenServer(image) { request in
            let form = String(decoding: request.body, as: UTF8.self)
            return request.method == "POST" && form.contains("grant_type=refresh_token")
                && form.contains("refresh_token=a%2Bb%26c") && form.contains("scope=repository%3Aapp%3Apull")
                ? .json(#"{"access_token":"good"}"#) : .error(401, "UNAUTHORIZED", "no")
        }
        try await withClient { client in
            let repository = try client.repository(
                ImageReference("\(server.host)/app"), credential: .identityToken("a+b&c"))
            _ = try await repository.manifest(.tag("1"))
        }
    }

    @Test func expiredTokenIsRenewedOnce() async throws {
        let image = try TestImage()
        let server = try await TestServer { request in
            if request.path == "/token" { return .json(#"{"token":"other"}"#) }
            var answer = Self.refusal
            answer.headers.append(("WWW-Authenticate", #"Bearer realm="/token",service="test""#))
            return answer
        }
        _ = image
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let error = await registryError { _ = try await repository.manifest(.tag("1")) }
            #expect(error?.code == .unauthorized)
            #expect(
                error?.message.hasPrefix(
                    "pull access denied for \(server.host)/app, repository does not exist or may require")
                    == true)
        }
        // Refused again with a fresh token: that is the answer, not a reason to go round and round.
        #expect(server.requests("GET", "/manifests/").count == 2)
    }

    @Test func basic() async throws {
        let image = try TestImage()
        let server = try await TestServer { request in
            request.header("Authorization") == "Basic bWU6c2VjcmV0"
                ? image.respond(request) : .empty(401, [("WWW-Authenticate", #"Basic realm="x""#)])
        }
        try await withClient { client in
            let reference = try ImageReference("\(server.host)/app")
            let good = try client.repository(reference, credential: .password(username: "me", password: "secret"))
            _ = try await good.manifest(.tag("1"))
            let bad = try client.repository(reference, credential: .password(username: "me", password: "wrong"))
            let failure1 = await registryError { _ = try await bad.manifest(.tag("1")) }
            #expect(failure1?.code == .unauthorized)
            let nobody = try client.repository(reference, credential: nil)
            let error = await registryError { _ = try await nobody.manifest(.tag("1")) }
            #expect(error?.message.contains("no basic auth credentials") == true)

            let token = try await client.logIn(to: server.host, with: .password(username: "me", password: "secret"))
            #expect(token == nil)
            let refused = await registryError {
                _ = try await client.logIn(to: server.host, with: .password(username: "me", password: "wrong"))
            }
            #expect(
                refused?.message == "login attempt to http://\(server.host)/v2/ failed with status: 401 Unauthorized")
        }
    }

    @Test func loginGetsAnIdentityToken() async throws {
        let image = try TestImage()
        let server = try await tokenServer(image) { request in
            request.query.contains("offline_token=true") && request.header("Authorization") == "Basic bWU6c2VjcmV0"
                ? .json(#"{"token":"good","refresh_token":"refresh"}"#) : .error(401, "UNAUTHORIZED", "no")
        }
        try await withClient { client in
            let token = try await client.logIn(to: server.host, with: .password(username: "me", password: "secret"))
            #expect(token == "refresh")
            let error = await registryError {
                _ = try await client.logIn(to: server.host, with: .password(username: "me", password: "wrong"))
            }
            #expect(error?.code == .unauthorized)
        }
    }

    @Test func registryTokenIsUsedAsItIs() async throws {
        let image = try TestImage()
        let server = try await tokenServer(image) { _ in .empty(500) }
        try await withClient { client in
            let repository = try client.repository(
                ImageReference("\(server.host)/app"), credential: .registryToken("good"))
            _ = try await repository.manifest(.tag("1"))
        }
        #expect(server.requests("GET", "/token").isEmpty)
    }

    @Test(arguments: ["{}", "<html>", #"{"token":""}"#, #"{"token":"a\r\nX-Evil: 1"}"#, "[1]"])
    func tokensOfAnotherShape(_ body: String) async throws {
        let image = try TestImage()
        let server = try await tokenServer(image) { _ in .json(body) }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let error = await registryError { _ = try await repository.manifest(.tag("1")) }
            #expect(error?.code == .invalidResponse)
            #expect(error?.message.contains("gave no token") == true)
        }
    }

    @Test func endlessTokenIsCutOff() async throws {
        let image = try TestImage()
        let server = try await tokenServer(image) { _ in
            TestAnswer(body: [UInt8](repeating: 0x20, count: 64 << 10), ending: .repeated(5 << 30))
        }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let failure2 = await registryError { _ = try await repository.manifest(.tag("1")) }
            #expect(failure2?.code == .invalidResponse)
        }
    }

    @Test func tokenServerWithoutEncryptionGetsNoPassword() async throws {
        let configuration = RegistryConfiguration()
        try await withClient { client in
            let server = TokenServer(transport: client.transport, configuration: configuration)
            let challenge = Challenge(scheme: "bearer", parameters: ["realm": "http://auth.example.com/token"])
            let error = await registryError {
                _ = try await server.token(
                    challenge, scopes: [], credential: .password(username: "me", password: "secret"),
                    registry: "registry.example.com",
                    registryAddress: WebAddress(scheme: .https, host: "registry.example.com"))
            }
            #expect(error?.code == .insecure)
            #expect(error?.message.contains("http://auth.example.com") == true)
        }
    }

    @Test func credentialsDoNotFollowARedirect() async throws {
        let image = try TestImage()
        let elsewhere = try await TestServer { image.respond($0) }
        let server = try await TestServer { request in
            guard request.header("Authorization") != nil else {
                return .empty(401, [("WWW-Authenticate", #"Basic realm="x""#)])
            }
            guard request.path.contains("/blobs/") else { return image.respond(request) }
            return .empty(307, [("Location", "http://\(elsewhere.host)\(request.path)?signature=s")])
        }
        try await withClient { client in
            let repository = try client.repository(
                ImageReference("\(server.host)/app"), credential: .password(username: "me", password: "secret"))
            let store = MemoryStore()
            let found = try await repository.image(.tag("1"), platform: nil)
            try await repository.download(found.layers, into: store) { _ in }
            #expect(store.blobs.count == 2)
        }
        #expect(elsewhere.requests.count == 3)
        #expect(elsewhere.requests.allSatisfy { $0.header("Authorization") == nil })
        #expect(server.requests("GET", "/blobs/").allSatisfy { $0.header("Authorization") != nil })
    }

    @Test func otherHostCannotAskForCredentialsByRedirect() async throws {
        let thief = try await TestServer { _ in .empty(401, [("WWW-Authenticate", #"Basic realm="give""#)]) }
        let server = try await TestServer { request in
            .empty(302, [("Location", "http://\(thief.host)\(request.path)")])
        }
        try await withClient { client in
            let repository = try client.repository(
                ImageReference("\(server.host)/app"), credential: .password(username: "me", password: "secret"))
            let failure3 = await registryError { _ = try await repository.manifest(.tag("1")) }
            #expect(failure3?.code == .unauthorized)
        }
        #expect(!thief.requests.isEmpty)
        #expect(thief.requests.allSatisfy { $0.header("Authorization") == nil })
    }

    @Test func mirrorsGetNoCredentials() async throws {
        let image = try TestImage()
        let mirror = try await TestServer { request in
            request.header("Authorization") == nil
                ? image.respond(request, name: "library/app") : .empty(500)
        }
        try await withClient {
            $0.mirrors = ["http://\(mirror.host)"]
        } _: { client in
            let repository = try client.repository(
                ImageReference("app"), credential: .password(username: "me", password: "secret"))
            _ = try await repository.manifest(.tag("1"))
        }
        #expect(mirror.requests.allSatisfy { $0.header("Authorization") == nil })
    }
}
