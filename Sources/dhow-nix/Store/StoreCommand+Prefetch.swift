import JSON
import NixFetch
import NixLocalStore
import NixStore

extension StoreCommand {
    /// `store prefetch-file`: a file from elsewhere, put into the store.
    func prefetch() throws {
        let url = try one()
        var wanted = Fetcher.Prefetch(url)
        wanted.name = values["--name"]
        wanted.isExecutable = flags.contains("--executable")
        wanted.unpacks = flags.contains("--unpack")
        if let name = values["--hash-type"] {
            guard let algorithm = HashAlgorithm(rawValue: name) else {
                throw UsageError(HashAlgorithm.unknown(name))
            }
            wanted.algorithm = algorithm
        }
        wanted.expected = try values["--expected-hash"].map { text in
            let isNamed = text.contains(":") || text.contains("-")
            return try Hash(parsing: text, algorithm: isNamed ? nil : wanted.algorithm)
        }
        let session = try StoreSession(settings)
        let fetcher = try Fetcher(into: session.store, try settings.fetching())
        let found = try fetcher.prefetch(wanted)
        let path = session.directory.print(found.path)
        if flags.contains("--json") {
            let object: JSONValue = ["hash": .string(found.hash.text(.sri)), "storePath": .string(path)]
            return Output.standard.write(object.serialized() + "\n")
        }
        StoreSession.say("Downloaded '\(url)' to '\(path)' (hash '\(found.hash.text(.sri))').")
    }
}
