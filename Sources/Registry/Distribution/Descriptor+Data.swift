import Credentials
import OCI

extension Descriptor {
    /// The blob that the descriptor carries, if it carries one; not verified.
    var embeddedData: [UInt8]? { data.flatMap { Base64.decode($0) } }
}
