import EngineModel

/// What attach asks for.
public struct AttachOptions: Sendable {
    /// Replay what was logged before.
    public var logs = false
    /// Stay connected.
    public var stream = false
    public var stdin = false
    public var stdout = false
    public var stderr = false
    /// Send the output as it is, also where it is no terminal's: both streams in one, without frames.
    public var isRaw = false
    public init() {}
}

/// A client's attachment to a container.
public struct Attachment: Sendable {
    public var isTerminal: Bool
    /// Whether the end of the client's input is the end of the program's.
    public var endsInput = false
    /// What was logged before, framed as the stream is; to be sent first.
    public var replay: ByteStream?
    /// `nil` when only the replay was asked for.
    public var stream: ProcessStream?
}

/// What logs asks for.
public struct LogOptions: Sendable {
    public var follow = false
    public var stdout = false
    public var stderr = false
    public var since: Timestamp?
    public var until: Timestamp?
    public var timestamps = false
    public var details = false
    /// How many of the last lines; `nil` for all.
    public var tail: Int?
    public init() {}
}

/// When a wait ends.
public enum WaitCondition: String, Sendable {
    case notRunning = "not-running"
    case nextExit = "next-exit"
    case removed
}

/// A wait that has begun: no exit from here on is missed.
public struct PendingWait: Sendable {
    let result: @Sendable () async throws -> ContainerWaitResponse
    /// Waits; ends with `CancellationError` when the task is cancelled.
    public func value() async throws -> ContainerWaitResponse { try await result() }
}

public struct ContainerListOptions: Sendable {
    public var all = false
    /// The newest so many, whatever their state; 0 for no limit.
    public var limit = 0
    public var size = false
    public var filters = Filters()
    public init() {}
}

public struct ImageListOptions: Sendable {
    public var all = false
    public var sharedSize = false
    public var filters = Filters()
    public init() {}
}

/// `POST /images/create?fromSrc=…`.
public struct ImageImportOptions: Sendable {
    public var repository = ""
    public var tag = ""
    public var message = ""
    public var changes: [String] = []
    public var platform = ""
    public init() {}
}

/// `POST /commit`.
public struct CommitOptions: Sendable {
    public var container = ""
    public var repository = ""
    public var tag = ""
    public var message = ""
    public var author = ""
    public var pause = true
    public var changes: [String] = []
    /// Replaces what the container ran with.
    public var config: ContainerConfig?
    public init() {}
}

public struct ArchiveUploadOptions: Sendable {
    /// Refuse to replace a directory by something else, and the other way round.
    public var noOverwriteDirectoryNonDirectory = false
    /// Give everything to the container's user.
    public var copyOwner = false
    public init() {}
}

/// A kind of thing that `system df` can measure.
public enum DiskUsageKind: String, Sendable, CaseIterable {
    case container, image, volume
    case buildCache = "build-cache"
}
