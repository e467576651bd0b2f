import EngineModel
import Fuzzing
import JSON

/// Reads a request's body as one type, and checks that what is written of it reads the same.
func check<Body: JSONRecord & Equatable>(_ type: Body.Type, _ value: JSONValue) {
    guard let body = try? Body(json: value) else { return }
    guard let again = try? Body(json: body.json), again == body else {
        finding("a \(type) changes when it is written")
    }
}

fuzz { bytes in
    guard let value = try? JSONValue(parsing: bytes) else { return }
    check(ContainerConfig.self, value)
    check(HostConfig.self, value)
    check(NetworkingConfig.self, value)
    check(EndpointSettings.self, value)
    check(ExecCreateRequest.self, value)
    check(ExecStartRequest.self, value)
    check(VolumeCreateRequest.self, value)
    // What the client reads of an engine.
    check(ContainerInspect.self, value)
    check(ContainerStats.self, value)
    check(EventMessage.self, value)
    check(ImageInspect.self, value)
    check(ProgressMessage.self, value)
    check(SystemInfo.self, value)
    if let stats = try? ContainerStats(json: value) { _ = stats.json }
}
