import NixLanguage
import NixLocalStore
import NixStore

/// `gc`: garbage collected, as much as there is or as much as is wanted.
enum GarbageCommand {
    static let help = """
        Usage: dhow-nix gc [OPTIONS]

        Delete what no root keeps from the store.

          --max BYTES             stop after so many bytes (500M, 20G)
          --min-free BYTES        do nothing while so much is free on the store's file system
          --max-free BYTES        stop when so much is free
          --dry-run               print what would be deleted
          --delete-old, -d        first delete old generations of all profiles
          --delete-older-than DAYSd
                                  first delete generations older than so many days
          --keep-outputs          keep what has been built from derivations that are kept
          --no-keep-derivations   let derivations of what is kept go
          --store DIR             a store other than the machine's

        """

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        var settings = Settings()
        var collection = GarbageCollection(.deleteDead)
        var (minFree, maxFree): (UInt64?, UInt64?)
        var deletesOld = false
        var age: Int64?
        while let item = rest.next() {
            switch item {
            case .word(let word): throw UsageError("'gc' takes no argument, but got '\(word)'")
            case .option("--help"): throw HelpRequest(text: help)
            case .option(let option):
                switch option {
                case "--max": collection.byteLimit = try StoreSession.bytes(try rest.value(of: option))
                case "--min-free": minFree = try StoreSession.bytes(try rest.value(of: option))
                case "--max-free": maxFree = try StoreSession.bytes(try rest.value(of: option))
                case "--dry-run": collection.action = .findDead
                case "-d", "--delete-old": deletesOld = true
                case "--delete-older-than":
                    let text = try rest.value(of: option)
                    guard text.hasSuffix("d"), let days = Int64(text.dropLast()), days >= 0 else {
                        throw UsageError("'\(text)' is not a number of days like '30d'")
                    }
                    age = days
                default:
                    guard try settings.take(option, &rest) else { throw UsageError("unrecognised flag '\(option)'") }
                }
            }
        }
        collection.heed(settings.configuration)
        let session = try StoreSession(settings)
        if deletesOld || age != nil {
            let isDry: Bool
            if case .findDead = collection.action { isDry = true } else { isDry = false }
            if !isDry {
                for profile in try session.store.profiles() {
                    let gone =
                        try age.map { try profile.delete(olderThan: currentTime() - $0 * 86400) }
                        ?? profile.deleteOld()
                    for number in gone {
                        StoreSession.say("removing generation \(number) of '\(profile.link)'")
                    }
                }
            }
        }
        if minFree != nil || maxFree != nil {
            let available = try session.store.availableBytes()
            let wanted = maxFree ?? minFree ?? 0
            guard available < minFree ?? wanted else {
                return Output.standard.write("0 store paths deleted, 0.00 MiB freed\n")
            }
            collection.byteLimit = min(
                collection.byteLimit, try GarbageCollection.bytes(toFree: max(wanted, minFree ?? 0), in: session.store))
        }
        try NixStoreCommand.collect(collection, session)
    }
}
