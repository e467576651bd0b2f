/// A recipe for store objects: what to run, with what, for which outputs.
public struct Derivation: Sendable, Equatable {
    /// What is known of an output before it is built.
    public enum Output: Sendable, Equatable {
        /// Its path follows from the derivation.
        case inputAddressed(StorePath)
        /// Its content is known.
        case fixed(ContentAddress)
        /// Its path will be known once those of the inputs are: while a derivation is being made.
        case deferred
    }

    public var name: String
    public var outputs: [String: Output] = [:]
    /// Which outputs of which derivations the builder sees.
    public var inputDerivations: [StorePath: Set<String>] = [:]
    public var inputSources: Set<StorePath> = []
    public var system: ByteString = ""
    public var builder: ByteString = ""
    public var arguments: [ByteString] = []
    public var environment: [ByteString: ByteString] = [:]

    public init(name: String) { self.name = name }

    /// The one output's content address, when it is known beforehand.
    public var fixedOutput: ContentAddress? {
        guard outputs.count == 1, case .fixed(let address)? = outputs["out"] else { return nil }
        return address
    }

    /// Where an output is, unless that is not known yet.
    public func path(of output: String, in store: StoreDirectory) throws(StoreError) -> StorePath? {
        switch outputs[output] {
        case .inputAddressed(let path): path
        case .fixed(let address):
            try store.makeFixedOutputPath(
                name: StoreDirectory.outputName(derivationName: name, output: output), address: address)
        case .deferred, nil: nil
        }
    }

    /// The paths that the derivation's own file refers to.
    public var references: Set<StorePath> { inputSources.union(inputDerivations.keys) }
}
