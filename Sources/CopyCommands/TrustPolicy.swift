import ImageTransports
import JSON
import Kernel
import OCI

/// The user's `policy.json` (containers-policy.json(5)): which images may be read at all.
///
/// Signatures are not verified, so an image that needs one is refused. A policy that is missing accepts everything.
struct TrustPolicy {
    private let document: JSONValue
    private let path: String

    init(_ globals: GlobalFlags.Values, environment: [String: String]) throws {
        if globals.isInsecure {
            (document, path) = (["default": [["type": "insecureAcceptAnything"]]], "")
            return
        }
        let home = environment["HOME"] ?? "/root"
        let places =
            globals.policy.isEmpty
            ? [home + "/.config/containers/policy.json", "/etc/containers/policy.json"] : [globals.policy]
        for place in places {
            let bytes: [UInt8]
            do throws(KernelError) { bytes = try FileDescriptor.currentDirectory.readFile(place, limit: 4 << 20) } catch
            {
                if error.code == .notFound, globals.policy.isEmpty { continue }
                throw TransportError(.system, "Error loading trust policy: \(place): \(error)")
            }
            guard let value = try? JSONValue(parsing: bytes), value.object != nil else {
                throw TransportError(
                    .invalidInput, "Error loading trust policy: invalid policy in \(place): it is no JSON object")
            }
            (document, path) = (value, place)
            return
        }
        (document, path) = (["default": [["type": "insecureAcceptAnything"]]], "")
    }

    /// - Throws: `TransportError.notSupported` when an image may not be read, or only with a signature.
    func check(_ location: ImageLocation) throws(TransportError) {
        let scopes = document["transports"]?[location.transport]
        var requirements = document["default"]?.array ?? []
        for scope in Self.scopes(location) {
            if let found = scopes?[scope]?.array {
                requirements = found
                break
            }
        }
        for requirement in requirements {
            switch requirement["type"]?.string ?? "" {
            case "insecureAcceptAnything": continue
            case "reject":
                throw TransportError(
                    .notSupported,
                    "Source image rejected: Running image \(location) is rejected by policy: \(path) says so; change it, or give "
                        + "--insecure-policy")
            case let type:
                throw TransportError(
                    .notSupported,
                    "Source image rejected: \(path) asks for signatures (\(type)) on \(location), and signatures cannot be "
                        + "verified: change the policy, or give --insecure-policy")
            }
        }
        guard !requirements.isEmpty else {
            throw TransportError(.notSupported, "Source image rejected: \(path) has no requirements for \(location)")
        }
    }

    /// The names that a policy may have an entry by, the narrowest first.
    private static func scopes(_ location: ImageLocation) -> [String] {
        guard case .registry(let reference) = location else { return [""] }
        var result = [reference.canonicalName, reference.name]
        var name = Substring(reference.name)
        while let slash = name.lastIndex(of: "/") {
            name = name[..<slash]
            result.append(String(name))
        }
        var host = reference.domain.prefix { $0 != ":" }
        while let dot = host.firstIndex(of: ".") {
            host = host[host.index(after: dot)...]
            result.append("*.\(host)")
        }
        return result + [""]
    }
}
