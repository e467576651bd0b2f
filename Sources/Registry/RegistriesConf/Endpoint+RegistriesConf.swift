import OCI

// What registries.conf makes of where an image is.

extension RegistryConfiguration {
    /// The endpoint that images are written to, and that answers for everything but reading them: what registries.conf
    /// says of other places holds for reading alone.
    /// - Throws: `RegistryError.denied` where the registry is blocked.
    func endpointForWriting(_ reference: ImageReference) throws(RegistryError) -> Endpoint {
        try endpoint(for: reference.domain, alsoInsecure: try namespace(of: reference)?.isInsecure == true)
    }

    /// The endpoints to read from, in the order in which they are asked: Docker's mirrors, those of registries.conf, and
    /// the image's own place.
    /// - Parameter reference: its digest decides which mirrors are asked.
    /// - Throws: `RegistryError.denied` where the registry is blocked.
    func endpointsForReading(_ reference: ImageReference) throws(RegistryError) -> [Endpoint] {
        var endpoints = reference.domain == ImageReference.defaultDomain ? try dockerMirrors() : []
        guard let namespace = try namespace(of: reference) else {
            return endpoints + [try endpoint(for: reference.domain)]
        }
        for mirror in namespace.mirrors where mirror.use != (reference.digest == nil ? .digestOnly : .tagOnly) {
            // A mirror that is blocked is one that does not answer.
            guard
                let endpoint = try? endpoint(namespace, reference, mirror.location, isInsecure: mirror.isInsecure)
            else { continue }
            endpoints.append(endpoint)
        }
        return endpoints
            + [try endpoint(namespace, reference, namespace.location, isInsecure: namespace.isInsecure)]
    }

    private func namespace(of reference: ImageReference) throws(RegistryError) -> RegistriesConf.Namespace? {
        let namespace = registriesConf.namespace(of: reference)
        if let namespace, namespace.isBlocked {
            throw RegistryError(
                .denied, "\(reference.familiarName): the registry \(namespace.prefix) is blocked at \(namespace.origin)"
            )
        }
        return namespace
    }

    private func endpoint(
        _ namespace: RegistriesConf.Namespace, _ reference: ImageReference, _ location: String?, isInsecure: Bool
    ) throws(RegistryError) -> Endpoint {
        let there = try namespace.rewritten(reference, location)
        if there != reference.repository { _ = try self.namespace(of: there) }
        var endpoint = try endpoint(for: there.domain, alsoInsecure: isInsecure)
        endpoint.isMirror = there.domain != reference.domain
        if there != reference.repository { endpoint.repository = there }
        return endpoint
    }

    private func endpoint(for domain: String, alsoInsecure: Bool) throws(RegistryError) -> Endpoint {
        var endpoint = try endpoint(for: domain)
        if alsoInsecure, !endpoint.isInsecure {
            endpoint.isInsecure = true
            endpoint.scheme = nil
        }
        return endpoint
    }
}
