import NixStore

/// What is told while things are realised. Events of different builds come from different threads.
public enum BuildEvent: Sendable {
    /// Another process is making one of these.
    case waiting(for: StorePath)
    case building(StorePath, mode: BuildSettings.Mode)
    /// A line that a builder wrote, without its end.
    case line(StorePath, [UInt8])
    case built(StorePath)
    case warning(String)
    /// Something to be said as it is.
    case note(String)
    /// A line that the program after a build wrote, without its end.
    case hookLine(StorePath, [UInt8])
    /// A temporary directory that stays.
    case kept(StorePath, directory: String)
    /// With `keepsGoing`, what failed.
    case failed(StorePath, BuildError)
}
