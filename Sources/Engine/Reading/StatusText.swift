import EngineModel

/// A container's status in words, as in `Up 2 hours (healthy)`.
package enum StatusText {
    package static func text(_ status: ContainerStatus, health: Health?, now: Timestamp) -> String {
        func since(_ moment: Int64) -> String {
            duration(now.timeInterval(since: Timestamp(nanosecondsSince1970: moment)))
        }
        switch status.phase {
        case .running:
            let up = "Up \(since(status.startedAt))"
            switch health?.status {
            case nil, "", "none": return up
            case "starting": return "\(up) (health: starting)"
            case let text?: return "\(up) (\(text))"
            }
        case .paused: return "Up \(since(status.startedAt)) (Paused)"
        case .restarting: return "Restarting (\(status.exitCode)) \(since(status.finishedAt)) ago"
        case .removing: return "Removal In Progress"
        case .dead: return "Dead"
        case .created: return "Created"
        case .exited:
            if status.finishedAt == 0 { return "Created" }
            return "Exited (\(status.exitCode)) \(since(status.finishedAt)) ago"
        }
    }

    /// A time for people, as Docker rounds it.
    package static func duration(_ seconds: Double) -> String {
        let seconds = Int(max(0, seconds))
        let minutes = seconds / 60
        let hours = Int((Double(seconds) / 3600).rounded())
        if seconds < 1 { return "Less than a second" }
        if seconds == 1 { return "1 second" }
        if seconds < 60 { return "\(seconds) seconds" }
        if minutes == 1 { return "About a minute" }
        if minutes < 60 { return "\(minutes) minutes" }
        if hours == 1 { return "About an hour" }
        if hours < 48 { return "\(hours) hours" }
        if hours < 24 * 7 * 2 { return "\(hours / 24) days" }
        if hours < 24 * 30 * 2 { return "\(hours / 24 / 7) weeks" }
        if hours < 24 * 365 * 2 { return "\(hours / 24 / 30) months" }
        return "\(seconds / 3600 / 24 / 365) years"
    }
}
