import Kernel
import NIOSSL

/// The TLS settings for a registry: the system's authorities, and what the administrator put into its folder.
enum HostCertificates {
    /// - Parameter folders: those for the registry; one that is not there is empty.
    /// - Throws: `RegistryError.invalidInput` naming the file that is wrong. Blocks.
    static func configuration(
        folders: [String], isInsecure: Bool
    ) throws(RegistryError) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        if isInsecure { configuration.certificateVerification = .none }
        for folder in folders {
            let here = FileDescriptor.currentDirectory
            guard let entries = try? here.entries(of: folder) else { continue }
            let names = entries.map(\.name).sorted()
            for file in names where file.hasSuffix(".crt") {
                do {
                    let certificates = try NIOSSLCertificate.fromPEMFile("\(folder)/\(file)")
                    configuration.additionalTrustRoots.append(.certificates(certificates))
                } catch { throw invalid("\(folder)/\(file)", "a list of certificates in PEM", error) }
            }
            for file in names where file.hasSuffix(".cert") {
                let key = file.dropLast(5) + ".key"
                guard names.contains(String(key)) else {
                    throw RegistryError(
                        .invalidInput,
                        "missing key \(key) for client certificate \(file) in \(folder). CA certificates must use the "
                            + "extension .crt")
                }
                do {
                    configuration.certificateChain = try NIOSSLCertificate.fromPEMFile("\(folder)/\(file)")
                        .map { .certificate($0) }
                } catch { throw invalid("\(folder)/\(file)", "a certificate in PEM", error) }
                do {
                    configuration.privateKey = .privateKey(
                        try NIOSSLPrivateKey(file: "\(folder)/\(key)", format: .pem))
                } catch { throw invalid("\(folder)/\(key)", "a private key in PEM", error) }
            }
            for file in names where file.hasSuffix(".key") && !names.contains("\(file.dropLast(4)).cert") {
                throw RegistryError(
                    .invalidInput, "missing client certificate \(file.dropLast(4)).cert for key \(file) in \(folder)")
            }
        }
        return configuration
    }

    private static func invalid(_ file: String, _ what: String, _ error: any Error) -> RegistryError {
        RegistryError(.invalidInput, "the file \(file) is not \(what): \(error)")
    }
}
