import Kernel
import Synchronization

/// The host's ports that containers have.
///
/// It knows who has each, so that a conflict between containers names the other one; and it binds each, so that a
/// conflict with another process shows before the container starts. Sockets are made in the calling thread's network
/// namespace. Functions may block for the time of a system call.
public final class PortAllocator: Sendable {
    private struct Key: Hashable {
        let networkProtocol: PortProtocol
        let family: IPFamily
        let port: UInt16
    }

    private struct State {
        /// Who has a port, by the host's address; one that is unspecified stands for all of its family.
        var owners: [Key: [IPAddress: String]] = [:]
        /// Where to go on looking for a free port, by protocol.
        var next: [PortProtocol: UInt16] = [:]
    }

    private let state = Mutex(State())
    /// The ports to choose from when none is asked for.
    public let dynamicRange: ClosedRange<UInt16>

    /// - Parameter dynamicRange: the kernel's own range for outgoing connections, if `nil`, as dockerd does; 49153 to
    ///   65535 where that cannot be read.
    public init(dynamicRange: ClosedRange<UInt16>? = nil) {
        self.dynamicRange = dynamicRange ?? Self.kernelRange() ?? 49153...65535
    }

    private static func kernelRange() -> ClosedRange<UInt16>? {
        guard let text = try? NetworkSysctl.read(["ipv4", "ip_local_port_range"]) else { return nil }
        let numbers = text.split { $0 == "\t" || $0 == " " }.compactMap { UInt16($0) }
        guard numbers.count == 2, numbers[0] > 0, numbers[0] <= numbers[1] else { return nil }
        return numbers[0]...numbers[1]
    }

    /// Takes one port at all of the addresses.
    ///
    /// - Parameters:
    ///   - addresses: the host's, such as 0.0.0.0 and :: for everywhere.
    ///   - ports: the first free of these; `nil` for any free one of the dynamic range.
    ///   - owner: the container's name, for others' errors.
    /// - Throws: `.conflict` when it is a container's or a process's, with who has it where that is known;
    ///   `.invalidArgument` when the host has no such address; `.exhausted` when no port of a range is free;
    ///   `.notPermitted` for a low port without the right. Nothing is taken then.
    public func reserve(
        _ networkProtocol: PortProtocol, at addresses: [IPAddress], ports: ClosedRange<UInt16>? = nil, owner: String
    ) throws(NetworkError) -> PortReservation {
        if addresses.isEmpty || ports?.lowerBound == 0 {
            throw NetworkError(.invalidArgument, "a port to publish needs an address and a number from 1 to 65535")
        }
        return try state.withLock { state throws(NetworkError) in
            var conflict: NetworkError?
            for port in candidates(ports, state.next[networkProtocol]) {
                do throws(NetworkError) {
                    let reservation = try Self.take(networkProtocol, addresses, port, owner, &state)
                    if ports == nil {
                        state.next[networkProtocol] =
                            port == dynamicRange.upperBound ? dynamicRange.lowerBound : port + 1
                    }
                    return reservation
                } catch {
                    guard error.code == .conflict else { throw error }
                    conflict = error
                }
            }
            if let ports, ports.count == 1, let conflict { throw conflict }
            let range = ports ?? dynamicRange
            throw NetworkError(
                .exhausted,
                "no \(networkProtocol) port from \(range.lowerBound) to \(range.upperBound) is free at "
                    + addresses.map(\.description).joined(separator: " and "))
        }
    }

    /// Gives a port back and closes its sockets. Doing so twice is no error.
    public func release(_ reservation: PortReservation) {
        state.withLock { state in
            for binding in reservation.bindings {
                let key = Key(
                    networkProtocol: reservation.networkProtocol, family: binding.address.family,
                    port: reservation.port)
                guard state.owners[key]?[binding.address] == reservation.owner else { continue }
                state.owners[key]?[binding.address] = nil
                if state.owners[key]?.isEmpty == true { state.owners[key] = nil }
            }
        }
        reservation.close()
    }

    private func candidates(_ ports: ClosedRange<UInt16>?, _ next: UInt16?) -> [UInt16] {
        if let ports { return Array(ports) }
        guard let next, dynamicRange.contains(next) else { return Array(dynamicRange) }
        return Array(next...dynamicRange.upperBound) + Array(dynamicRange.lowerBound..<next)
    }

    private static func take(
        _ networkProtocol: PortProtocol, _ addresses: [IPAddress], _ port: UInt16, _ owner: String,
        _ state: inout State
    ) throws(NetworkError) -> PortReservation {
        let addresses = Set(addresses).sorted()
        for address in addresses {
            let key = Key(networkProtocol: networkProtocol, family: address.family, port: port)
            let owners = state.owners[key] ?? [:]
            let other = owners.first { address.isUnspecified || $0.key.isUnspecified || $0.key == address }
            if let other {
                throw NetworkError(
                    .conflict,
                    "Bind for \(text(address, port)) failed: port is already allocated: container \(other.value) has it for "
                        + "\(networkProtocol) at \(other.key); choose another, or remove that container")
            }
        }
        var bindings: [PortReservation.Binding] = []
        for address in addresses { bindings.append(try bind(networkProtocol, address, port)) }
        for address in addresses {
            let key = Key(networkProtocol: networkProtocol, family: address.family, port: port)
            state.owners[key, default: [:]][address] = owner
        }
        return PortReservation(networkProtocol, port: port, owner: owner, bindings: bindings)
    }

    private static func text(_ address: IPAddress, _ port: UInt16) -> String {
        address.family == .v6 ? "[\(address)]:\(port)" : "\(address):\(port)"
    }

    private static func bind(_ networkProtocol: PortProtocol, _ address: IPAddress, _ port: UInt16)
        throws(NetworkError) -> PortReservation.Binding
    {
        do throws(KernelError) {
            let socket: FileDescriptor
            switch networkProtocol {
            case .tcp:
                socket = try Socket.bind(
                    .stream, address: address.bytes, port: port, reusesAddress: true, nonBlocking: true)
                // With SO_REUSEADDR only a listening socket keeps others away.
                try Socket.listen(socket)
            case .udp:
                socket = try Socket.bind(.datagram, address: address.bytes, port: port, nonBlocking: true)
            case .sctp:
                socket = try Socket.bind(
                    .stream, networkProtocol: 132, address: address.bytes, port: port, reusesAddress: true,
                    nonBlocking: true)
                try Socket.listen(socket)
            }
            return PortReservation.Binding(address: address, socket: socket)
        } catch {
            let what = "cannot publish \(text(address, port))/\(networkProtocol)"
            switch error.code.name {
            case "EADDRINUSE":
                throw NetworkError(
                    .conflict,
                    "failed to bind host port for \(text(address, port))/\(networkProtocol): address already in use: another "
                        + "process of the host has the port", cause: error)
            case "EADDRNOTAVAIL":
                throw NetworkError(.invalidArgument, "\(what): the host has no address \(address)", cause: error)
            case "EPROTONOSUPPORT", "ESOCKTNOSUPPORT":
                // No SCTP in the host's kernel: nobody else can have the port either.
                if networkProtocol == .sctp { return PortReservation.Binding(address: address, socket: nil) }
                throw NetworkError("publish port \(port)", error)
            case "EAFNOSUPPORT":
                throw NetworkError(.unavailable, "\(what): the host has no \(address.family)", cause: error)
            default: throw NetworkError("publish \(text(address, port))/\(networkProtocol)", error)
            }
        }
    }
}
