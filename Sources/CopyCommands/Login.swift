import CommandLineKit
import Credentials
import Glibc
import ImageTransports
import Kernel
import Registry

extension Commands {
    static var login: Command<Action> {
        Command<Action>(
            "login", "Login to a container registry", usage: "[command options] REGISTRY", arguments: .exactly(1)
        ) { flags in
            let access = AccessFlags(flags, hasLetters: true)
            let isPiped = flags.bool("password-stdin", "Take the password from stdin")
            let showsUser = flags.bool("get-login", "Return the current login user for the registry")
            return { context, arguments in
                let host = Credential.host(of: arguments[0])
                var access = try access.access(context, password: isPiped.value ? readLine(from: 0) : nil)
                if showsUser.value {
                    access.authentication = .stored
                    guard case .password(let name, _) = try access.credential(for: host) else {
                        throw TransportError(.notFound, "not logged into \(host)")
                    }
                    return Output.write("\(name)\n")
                }
                guard case .given(var credential) = access.authentication else {
                    throw TransportError(
                        .invalidInput,
                        "a user name and a password are needed: give --username, and --password or --password-stdin")
                }
                let client = access.client(for: host)
                do {
                    if let token = try await client.logIn(to: host, with: credential) {
                        credential = .identityToken(token)
                    }
                    await client.shutdown()
                } catch {
                    await client.shutdown()
                    throw error
                }
                var store = try CredentialStore(file: access.credentialFiles[0], searchPath: access.searchPath)
                try store.save(credential, for: host)
                Output.write("Login Succeeded!\n")
            }
        }
    }

    static var logout: Command<Action> {
        Command<Action>(
            "logout", "Logout of a container registry", usage: "[command options] REGISTRY", arguments: .exactly(1)
        ) { flags in
            let access = AccessFlags(flags)
            return { context, arguments in
                let host = Credential.host(of: arguments[0])
                let access = try access.access(context)
                var store = try CredentialStore(file: access.credentialFiles[0], searchPath: access.searchPath)
                guard try store.erase(host) else { throw TransportError(.notFound, "not logged into \(host)") }
                Output.write("Removed login credentials for \(host)\n")
            }
        }
    }

    private static func readLine(from descriptor: Int32) throws -> String {
        let bytes = try FileDescriptor.open("/proc/self/fd/\(descriptor)").readAll(limit: 1 << 16)
        return String(decoding: bytes.prefix { $0 != 0x0A && $0 != 0x0D }, as: UTF8.self)
    }
}
