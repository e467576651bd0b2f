import Archive
import Kernel
import NixBinaryCache
import NixLanguage
import NixStore

// Git repositories, by the `git` program.
extension Fetcher {
    func git(_ request: FetchRequest) throws -> FetchResult {
        let address = try GitAddress(request)
        var request = request
        if let directory = address.localDirectory, request.reference == nil, request.revision == nil {
            let repository = GitRepository(directory, settings.environment)
            if let changed = try workTree(repository, request) { return changed }
        }
        let repository =
            try address.localDirectory.map { GitRepository($0, settings.environment) } ?? remote(address, &request)
        let revision = try commit(repository, request, address)
        let isShallow = try repository.line("rev-parse", "--is-shallow-repository") == "true"
        if isShallow, !request.shallow {
            throw HostError(
                .failed,
                "'\(request.url)' is a shallow Git repository, but shallow repositories are only allowed when `shallow = true;` is specified"
            )
        }
        let path = try withTemporaryDirectory { try export(repository, revision, request, to: $0) }
        var result = try described(path, request)
        result.revision = revision
        result.lastModified = Int64(try repository.line("log", "-1", "--format=%ct", "--no-show-signature", revision))
        if !request.shallow { result.revisionCount = Int(try repository.line("rev-list", "--count", revision)) }
        return result
    }

    private func described(_ path: StorePath, _ request: FetchRequest) throws -> FetchResult {
        var result = FetchResult(path: path)
        result.narHash = try store.info(of: path)?.narHash
        if let expected = request.expected, let got = result.narHash, got != expected {
            throw HostError(
                .failed,
                "NAR hash mismatch in Git input '\(request.url)', expected '\(expected.text(.sri))', got '\(got.text(.sri))'"
            )
        }
        return result
    }

    /// The files of a work tree that Git knows of, if they differ from what was committed last.
    private func workTree(_ repository: GitRepository, _ request: FetchRequest) throws -> FetchResult? {
        guard try repository.line("rev-parse", "--is-bare-repository") == "false" else { return nil }
        let hasCommits = try repository.succeeds("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if hasCommits, try repository.succeeds("diff", "HEAD", "--ignore-submodules", "--quiet", "--") { return nil }
        guard settings.allowsDirtyTrees else { throw HostError(.failed, "Git tree '\(repository.directory)' is dirty") }
        if settings.warnsOfDirtyTrees { settings.warn("Git tree '\(repository.directory)' is dirty") }
        let listed = try repository.output(["ls-files", "-z"] + (request.submodules ? ["--recurse-submodules"] : []))
        let top = repository.directory
        // Each file, and each directory on the way to one.
        var wanted: Set<String> = []
        for name in listed.split(separator: 0) {
            var path = top + "/" + String(decoding: name, as: UTF8.self)
            while path != top, wanted.insert(path).inserted, let slash = path.lastIndex(of: "/") {
                path = String(path[..<slash])
            }
        }
        let path = try store.add(tree: top, named: request.name) { wanted.contains($0) }
        var result = try described(path, request)
        result.lastModified =
            hasCommits ? Int64(try repository.line("log", "-1", "--format=%ct", "--no-show-signature", "HEAD")) : 0
        return result
    }

    /// The repository in which a remote one is kept, with what was asked for.
    private func remote(_ address: GitAddress, _ request: inout FetchRequest) throws -> GitRepository {
        guard let cache = settings.cacheDirectory else {
            throw HostError(.failed, "cannot fetch '\(request.url)': there is no HOME to keep Git repositories in")
        }
        let name = Hash(.sha256, of: Array((address.url + (request.shallow ? "-shallow" : "")).utf8)).text(.nix32)
        let here = FileDescriptor.currentDirectory
        let repository = GitRepository("\(cache)/dhow-git/\(name)", settings.environment)
        try here.makeDirectories("\(cache)/dhow-git")
        if !here.exists(repository.directory + "/HEAD") {
            _ = try GitRepository.run(
                ["init", "--quiet", "--bare", repository.directory], in: "/", settings.environment)
        }
        if let revision = request.revision, try repository.succeeds("cat-file", "-e", revision + "^{commit}") {
            return repository
        }
        let wanted =
            request.allReferences
            ? "refs/*"
            : request.reference.map { $0 == "HEAD" || $0.hasPrefix("refs/") ? $0 : "refs/heads/" + $0 } ?? "HEAD"
        let local = request.allReferences ? "refs/*" : wanted == "HEAD" ? "refs/dhow/HEAD" : wanted
        let isKnown = try !request.allReferences && repository.succeeds("rev-parse", "--verify", "--quiet", local)
        let stamp = repository.directory + "/dhow-" + Hash(.sha256, of: Array(wanted.utf8)).text(.nix32)
        let last = try? here.status(of: stamp).modified.seconds
        if request.revision != nil || !isKnown
            || last.map({ $0 + Int64(settings.lifetime) < Timestamp.now.seconds }) ?? true
        {
            _ = try repository.output(
                ["fetch", "--quiet", "--force"] + (request.shallow ? ["--depth=1"] : [])
                    + ["--", address.url, "\(wanted):\(local)"])
            try here.writeFile(stamp, "", creating: true)
        }
        if request.revision == nil { request.reference = request.allReferences ? request.reference ?? "HEAD" : local }
        return repository
    }

    private func commit(_ repository: GitRepository, _ request: FetchRequest, _ address: GitAddress) throws -> String {
        if let revision = request.revision {
            guard try repository.succeeds("cat-file", "-e", revision + "^{commit}") else {
                throw HostError(
                    .failed,
                    "Cannot find Git revision '\(revision)' in ref '\(request.reference ?? "HEAD")' of repository '\(request.url)'! "
                        + "Please make sure that the rev exists on the ref you've specified or add allRefs = true;")
            }
            return revision
        }
        let name = request.reference ?? "HEAD"
        let full = name == "HEAD" || name.hasPrefix("refs/") ? name : "refs/heads/" + name
        guard try repository.succeeds("rev-parse", "--verify", "--quiet", full + "^{commit}") else {
            throw HostError(.failed, "the Git repository '\(request.url)' has no branch or tag '\(name)'")
        }
        return try repository.line("rev-parse", "--verify", full + "^{commit}")
    }

    /// What a commit holds, as an object.
    private func export(
        _ repository: GitRepository, _ revision: String, _ request: FetchRequest, to directory: String
    ) throws -> StorePath {
        if request.submodules {
            let clone = GitRepository(directory + "/clone", settings.environment)
            _ = try GitRepository.run(
                ["clone", "--quiet", "--no-checkout", "--", repository.directory, clone.directory], in: "/",
                settings.environment)
            _ = try clone.output(["checkout", "--quiet", revision])
            // Submodules with relative addresses begin at the repository's own.
            _ = try clone.output(["remote", "set-url", "origin", request.url])
            _ = try clone.output(["submodule", "--quiet", "update", "--init", "--recursive"])
            return try store.add(tree: clone.directory, named: request.name) { path in
                path.split(separator: "/").last != ".git"
            }
        }
        let file = directory + "/archive"
        _ = try repository.output(["archive", "--format=tar", "--output=\(file)", revision])
        let source = DescriptorSource(try FileDescriptor.open(file))
        let tree = try Tarball.unpack(source, into: directory, called: request.url) { _, root in root }
        return try store.add(tree: tree.path, named: request.name)
    }
}

/// Which repository a request means.
struct GitAddress {
    /// As `git` takes it.
    let url: String
    /// For a repository on this machine, its directory.
    let localDirectory: String?

    init(_ request: FetchRequest) throws {
        let text = request.url.hasPrefix("git+") ? String(request.url.dropFirst(4)) : request.url
        if let revision = request.revision {
            guard [40, 64].contains(revision.utf8.count), revision.utf8.allSatisfy({ Character(.init($0)).isHexDigit })
            else { throw HostError(.failed, "'\(revision)' is no Git revision: it needs 40 hexadecimal digits") }
        }
        if let reference = request.reference {
            let isBad =
                reference.isEmpty || reference.hasPrefix("-") || reference.contains("..")
                || reference.utf8.contains { $0 <= 0x20 || $0 == 0x7F || "~^:?*[\\".utf8.contains($0) }
            guard !isBad else { throw HostError(.failed, "invalid Git branch/tag name '\(reference)'") }
        }
        if text.hasPrefix("file://") {
            let path = try FileDownload.path(of: text)
            // As in Nix, a bare repository is fetched from as a remote one is.
            let isWorkTree = FileDescriptor.currentDirectory.exists(path + "/.git")
            localDirectory = isWorkTree ? path : nil
            url = text
        } else if text.hasPrefix("/") {
            let path = text
            localDirectory = path
            url = path
        } else {
            localDirectory = nil
            url = text
        }
    }
}
