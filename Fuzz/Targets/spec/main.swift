import ContainerRuntime
import Fuzzing
import JSON
import OCI

fuzz { bytes in
    guard let specification = try? RuntimeSpec(parsing: bytes) else { return }
    guard let again = try? RuntimeSpec(json: specification.json), again == specification else {
        finding("the specification changes when it is written")
    }
    guard let plan = try? LaunchPlan(specification, LaunchOptions(id: "fuzz", bundle: "/bundle")) else { return }
    _ = plan.description
    _ = plan.cloneFlags
    for case .mount(let mount) in plan.steps where mount.destination.utf8.split(separator: 0x2F).contains(where: {
        $0.elementsEqual("..".utf8)
    }) { finding("the mount at \(mount.destination) climbs") }
}
