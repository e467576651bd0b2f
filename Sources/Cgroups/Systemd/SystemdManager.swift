import Glibc
import Kernel

/// systemd's manager of units, over D-Bus. Used by one thread.
final class SystemdManager {
    private let connection: DBusConnection

    private static let destination = "org.freedesktop.systemd1"
    private static let path = "/org/freedesktop/systemd1"
    private static let interface = "org.freedesktop.systemd1.Manager"

    /// - Parameter isUser: the user's own manager rather than the system's.
    init(isUser: Bool) throws(CgroupError) {
        // The private socket needs no bus daemon, but admits only the manager's owner.
        var candidates: [(path: String, isBus: Bool)]
        if isUser {
            let directory = environment("XDG_RUNTIME_DIR") ?? "/run/user/\(Credentials.effectiveUserID)"
            candidates = [("\(directory)/systemd/private", false), ("\(directory)/bus", true)]
        } else {
            candidates = [("/run/systemd/private", false), ("/run/dbus/system_bus_socket", true)]
            if Credentials.effectiveUserID != 0 { candidates.removeFirst() }
        }
        let (connection, isBus) = try Self.connect(candidates)
        self.connection = connection
        if isBus { try subscribe() }
    }

    private static func connect(_ candidates: [(path: String, isBus: Bool)]) throws(CgroupError)
        -> (DBusConnection, isBus: Bool)
    {
        var failure: CgroupError?
        for candidate in candidates {
            do throws(CgroupError) {
                return (try DBusConnection(path: candidate.path, isBus: candidate.isBus), candidate.isBus)
            } catch { failure = failure ?? error }
        }
        throw CgroupError(
            .systemd,
            (failure?.message ?? "cannot reach systemd")
                + "; is systemd running here? Use the cgroupfs driver where it is not", cause: failure?.cause)
    }

    /// Over a bus, signals come only to those who ask.
    private func subscribe() throws(CgroupError) {
        let rule = "type='signal',interface='\(Self.interface)',member='JobRemoved',path='\(Self.path)'"
        _ = try connection.call(
            destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus",
            "AddMatch", [.string(rule)])
        _ = try call("Subscribe", [])
    }

    private func call(_ member: String, _ arguments: [DBusValue]) throws(CgroupError)
        -> Result<[DBusValue], DBusRefusal>
    {
        try connection.call(
            destination: Self.destination, path: Self.path, interface: Self.interface, member, arguments)
    }

    typealias Property = (name: String, value: DBusValue)

    private static func list(_ properties: [Property]) -> DBusValue {
        .array(of: "(sv)", properties.map { .structure([.string($0.name), .variant($0.value)]) })
    }

    /// Starts a unit that goes when it ends, and returns when it has started.
    func startTransientUnit(_ unit: String, _ properties: [Property]) throws(CgroupError) {
        let arguments: [DBusValue] = [
            .string(unit), .string("replace"), Self.list(properties), .array(of: "(sa(sv))", []),
        ]
        var answer = try call("StartTransientUnit", arguments)
        if case .failure(let refusal) = answer, refusal.name.hasSuffix(".UnitExists") {
            // One of that name that has failed is kept until someone has looked at it.
            try resetFailedUnit(unit)
            answer = try call("StartTransientUnit", arguments)
        }
        try finish(answer, "start", unit)
    }

    /// Stops a unit, and returns when it has stopped. Nothing happens if there is none.
    func stopUnit(_ unit: String) throws(CgroupError) {
        let answer = try call("StopUnit", [.string(unit), .string("replace")])
        if case .failure(let refusal) = answer, refusal.name.hasSuffix(".NoSuchUnit") { return }
        try finish(answer, "stop", unit)
    }

    /// Forgets that a unit has failed.
    func resetFailedUnit(_ unit: String) throws(CgroupError) { _ = try call("ResetFailedUnit", [.string(unit)]) }

    /// Changes properties of a running unit, until the next boot.
    func setProperties(_ unit: String, _ properties: [Property]) throws(CgroupError) {
        if properties.isEmpty { return }
        let answer = try call("SetUnitProperties", [.string(unit), .boolean(true), Self.list(properties)])
        if case .failure(let refusal) = answer { throw Self.error("change the properties of", unit, refusal) }
    }

    private func finish(_ answer: Result<[DBusValue], DBusRefusal>, _ what: String, _ unit: String)
        throws(CgroupError)
    {
        switch answer {
        case .failure(let refusal): throw Self.error(what, unit, refusal)
        case .success(let body):
            guard let job = body.first?.text else {
                throw CgroupError(.systemd, "systemd's answer to the wish to \(what) \(unit) names no job")
            }
            // JobRemoved(u id, o job, s unit, s result)
            let removed = try connection.waitForSignal { signal in
                signal.member == "JobRemoved" && signal.body.count >= 4 && signal.body[1].text == job
            }
            let result = removed.body[3].text ?? ""
            // "skipped": there was nothing to do.
            if result != "done" && result != "skipped" {
                throw CgroupError(.systemd, "systemd could not \(what) \(unit): the job's result is \"\(result)\"")
            }
        }
    }

    private static func error(_ what: String, _ unit: String, _ refusal: DBusRefusal) -> CgroupError {
        let code: CgroupError.Code =
            refusal.name.hasSuffix(".AccessDenied") || refusal.name.hasSuffix(".InteractiveAuthorizationRequired")
            ? .notPermitted : .systemd
        return CgroupError(code, "systemd would not \(what) \(unit): \(refusal.message) (\(refusal.name))")
    }

    /// A property of the manager itself.
    func property(_ name: String) throws(CgroupError) -> DBusValue? {
        let answer = try connection.call(
            destination: Self.destination, path: Self.path, interface: "org.freedesktop.DBus.Properties", "Get",
            [.string(Self.interface), .string(name)])
        guard case .success(let body) = answer, case .variant(let value)? = body.first else { return nil }
        return value
    }

    /// Such as 252; 0 when it does not say.
    func version() throws(CgroupError) -> Int {
        // "252.26-1~deb12u2", "v245"
        let text = try property("Version")?.text ?? ""
        return Int(text.drop { !$0.isNumber }.prefix { $0.isNumber }) ?? 0
    }
}

func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
