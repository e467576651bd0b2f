import JSON

/// What travels in a frame.
package enum Message: Sendable, Equatable {
    case request(id: UInt64, MonitorRequest)
    /// A request that could not be understood, yet can be answered.
    case badRequest(id: UInt64, MonitorError)
    case reply(to: UInt64, JSONValue)
    case refusal(to: UInt64, MonitorError)
    case event(MonitorEvent)
    /// From a newer version: to be ignored.
    case unknownEvent(String)

    /// - Throws: `.invalidData` for what is neither request, reply nor event.
    package init(json: JSONValue) throws(MonitorError) {
        if let name = json["request"]?.string, let id = Self.identifier(json["id"]) {
            do throws(MonitorError) {
                self = .request(id: id, try MonitorRequest(name: name, parameters: json["parameters"] ?? [:]))
            } catch {
                self = .badRequest(id: id, error)
            }
        } else if let id = Self.identifier(json["re"]) {
            if let error = json["error"] {
                self = .refusal(to: id, MonitorError(wire: error))
            } else {
                self = .reply(to: id, json["ok"] ?? .null)
            }
        } else if let name = json["event"]?.string {
            guard let event = try MonitorEvent(name: name, data: json["data"] ?? [:]) else {
                self = .unknownEvent(name)
                return
            }
            self = .event(event)
        } else {
            throw MonitorError(.invalidData, "a message that is neither request, reply nor event")
        }
    }

    package var json: JSONValue {
        switch self {
        case .request(let id, let request):
            ["id": id.json, "request": .string(request.name), "parameters": request.parameters]
        case .badRequest(let id, _): ["id": id.json, "request": ""]
        case .reply(let id, let value): ["re": id.json, "ok": value]
        case .refusal(let id, let error): ["re": id.json, "error": error.wire]
        case .event(let event): ["event": .string(event.name), "data": event.data]
        case .unknownEvent(let name): ["event": .string(name)]
        }
    }

    private static func identifier(_ value: JSONValue?) -> UInt64? {
        guard let value else { return nil }
        return try? UInt64(json: value)
    }
}

extension MonitorRequest {
    var name: String {
        switch self {
        case .start: "start"
        case .signal: "signal"
        case .resize: "resize"
        case .pause: "pause"
        case .resume: "resume"
        case .update: "update"
        case .exec: "exec"
        case .attach: "attach"
        case .state: "state"
        case .subscribe: "subscribe"
        case .closeStdin: "closeStdin"
        case .shutdown: "shutdown"
        }
    }

    var parameters: JSONValue {
        switch self {
        case .signal(let signal): signal.json
        case .resize(let size): size.json
        case .update(let resources): ["resources": resources]
        case .exec(let exec): exec.json
        case .attach(let attach): attach.json
        case .closeStdin(let execID): execID.map { ["execID": .string($0)] } ?? [:]
        case .start, .pause, .resume, .state, .subscribe, .shutdown: [:]
        }
    }

    init(name: String, parameters: JSONValue) throws(MonitorError) {
        do throws(JSONError) {
            switch name {
            case "start": self = .start
            case "signal": self = .signal(try Signal(json: parameters))
            case "resize": self = .resize(try Resize(json: parameters))
            case "pause": self = .pause
            case "resume": self = .resume
            case "update": self = .update(resources: parameters["resources"] ?? [:])
            case "exec": self = .exec(try Exec(json: parameters))
            case "attach": self = .attach(try Attach(json: parameters))
            case "state": self = .state
            case "subscribe": self = .subscribe
            case "closeStdin": self = .closeStdin(execID: parameters["execID"]?.string)
            case "shutdown": self = .shutdown
            default: throw JSONError(code: .type, reason: "the monitor knows no request \"\(name)\"")
            }
        } catch {
            throw MonitorError(.invalidArgument, "bad request \"\(name)\": \(error)")
        }
    }
}

extension MonitorEvent {
    var name: String {
        switch self {
        case .cloned: "cloned"
        case .created: "created"
        case .failed: "failed"
        case .exited: "exited"
        case .outOfMemory: "outOfMemory"
        case .execExited: "execExited"
        case .lost: "lost"
        }
    }

    var data: JSONValue {
        switch self {
        case .cloned(let processID, let monitorProcessID):
            ["processID": processID.json, "monitorProcessID": monitorProcessID.json]
        case .created(let processID): ["processID": processID.json]
        case .failed(let error): error.wire
        case .exited(let record): record.json
        case .execExited(let execID, let exitCode): ["execID": .string(execID), "exitCode": exitCode.json]
        case .outOfMemory, .lost: [:]
        }
    }

    /// `nil`: no event that this version knows.
    init?(name: String, data: JSONValue) throws(MonitorError) {
        do throws(JSONError) {
            switch name {
            case "cloned":
                self = .cloned(
                    processID: try Int32(json: data["processID"] ?? .null),
                    monitorProcessID: try Int32(json: data["monitorProcessID"] ?? .null))
            case "created": self = .created(processID: try Int32(json: data["processID"] ?? .null))
            case "failed": self = .failed(MonitorError(wire: data))
            case "exited": self = .exited(try ExitRecord(json: data))
            case "outOfMemory": self = .outOfMemory
            case "execExited":
                self = .execExited(
                    execID: try String(json: data["execID"] ?? .null),
                    exitCode: try Int32(json: data["exitCode"] ?? .null))
            default: return nil
            }
        } catch {
            throw MonitorError(.invalidData, "a bad event \"\(name)\": \(error)")
        }
    }
}

extension MonitorError {
    var wire: JSONValue {
        var object: JSONObject = ["code": code.json, "message": .string(message)]
        if let exitCode { object["exitCode"] = exitCode.json }
        return .object(object)
    }

    init(wire: JSONValue) {
        self.init(
            wire["code"]?.string.flatMap(Code.init(rawValue:)) ?? .system,
            wire["message"]?.string ?? "the monitor gave no reason",
            exitCode: wire["exitCode"]?.integer.flatMap { Int32(exactly: $0) })
    }
}
