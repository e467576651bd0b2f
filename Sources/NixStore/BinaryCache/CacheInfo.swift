/// What a binary cache says of itself, in its file `nix-cache-info`.
public struct CacheInfo: Sendable, Equatable {
    public static let fileName = "nix-cache-info"

    public var storeDirectory: StoreDirectory
    /// Whether it likes to be asked for thousands of objects that it may not have.
    public var wantsMassQuery: Bool
    /// Caches with lower numbers are asked first.
    public var priority: Int

    public init(storeDirectory: StoreDirectory, wantsMassQuery: Bool = false, priority: Int = 50) {
        self.storeDirectory = storeDirectory
        self.wantsMassQuery = wantsMassQuery
        self.priority = priority
    }

    /// Reads the file's text; what is not there has its standard value.
    /// - Parameter cache: the cache's address, for errors.
    public init(parsing bytes: [UInt8], standard: CacheInfo, cache: String) throws(StoreError) {
        let label = "'\(cache)/\(Self.fileName)'"
        let text = try KeyValueText(bytes, of: label)
        self = standard
        if let path = try text.value("StoreDir", of: label) { storeDirectory = StoreDirectory(path) }
        if let flag = try text.value("WantMassQuery", of: label) { wantsMassQuery = flag == "1" }
        if let number = try text.value("Priority", of: label) {
            guard let priority = Int(number) else {
                throw StoreError(.badCache, "\(label) is corrupt: 'Priority' is no number: '\(number)'")
            }
            self.priority = priority
        }
    }

    /// The text that a new cache gets.
    public var text: String {
        var text = "StoreDir: \(storeDirectory.path)\n"
        if wantsMassQuery { text += "WantMassQuery: 1\n" }
        if priority != 50 { text += "Priority: \(priority)\n" }
        return text
    }
}
