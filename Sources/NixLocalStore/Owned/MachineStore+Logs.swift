import NixStore

extension MachineStore {
    /// Where a derivation's build log is, without the ending of its compression.
    public func logFile(of derivation: StorePath) -> String {
        let name = derivation.baseName
        return "\(layout.logs)/drvs/\(name.prefix(2))/\(name.dropFirst(2))"
    }
}
