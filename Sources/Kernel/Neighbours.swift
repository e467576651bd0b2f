import CKernel
import Glibc

extension NetlinkRequest {
    /// Adds a permanent neighbour entry.
    public static func addNeighbour(interface: Int32, address: [UInt8], macAddress: [UInt8]) -> NetlinkRequest {
        // struct ndmsg: family, padding, index, state (NUD_PERMANENT 0x80), flags, type: 12 bytes. RTM_NEWNEIGH 28.
        var request = NetlinkRequest(
            28, [.create, .replace], operation: "add a neighbour", subject: "on interface number \(interface)")
        request.append(addressFamily(address))
        request.append(bytes: [0, 0, 0])
        request.append(interface)
        request.append(UInt16(0x80))
        request.append(UInt16(0))
        request.attribute(1, bytes: address)
        request.attribute(2, bytes: macAddress)
        return request
    }
}

/// Tells the link of an interface, in the calling thread's network namespace, which MAC address has an address now:
/// a gratuitous ARP for IPv4, an unsolicited neighbour advertisement for IPv6.
///
/// So that nobody goes on sending to the container that had the address before. Closing the packet socket waits for the
/// kernel's other processors (about 15 ms): where `arp_notify` serves, it costs nothing.
/// - Throws: `ENETDOWN` when the interface is down.
public func announceAddress(_ address: [UInt8], macAddress: [UInt8], interface: Int32) throws(KernelError) {
    let frame =
        address.count == 16
        ? neighbourAdvertisement(address, macAddress) : gratuitousARP(address, macAddress)
    // AF_PACKET 17, SOCK_RAW, protocol 0: only sends.
    let socket = FileDescriptor(owning: Int32(try call("make a packet socket") { ck_socket(17, 3 | 0o2000000, 0) }))
    // struct sockaddr_ll: family 2, protocol 2 (network order), index 4, hardware type 2, packet type 1, length 1,
    // address 8.
    var destination = [UInt8](repeating: 0, count: 20)
    destination[0] = 17
    destination[2] = frame[12]
    destination[3] = frame[13]
    withUnsafeBytes(of: interface) { destination.replaceSubrange(4..<8, with: $0) }
    _ = try destination.withBytes { bytes throws(KernelError) in
        try call("bind to interface", "number \(interface)") { ck_bind(socket.rawValue, bytes.baseAddress, 20) }
    }
    _ = try socket.send(frame)
}

/// RFC 5227: a request for one's own address, to everyone.
func gratuitousARP(_ address: [UInt8], _ mac: [UInt8]) -> [UInt8] {
    var frame: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] + mac + [0x08, 0x06]
    frame += [0, 1, 8, 0, 6, 4, 0, 1] + mac + address
    return frame + [0, 0, 0, 0, 0, 0] + address
}

/// RFC 4861, 4.4: to all nodes, with the override flag.
func neighbourAdvertisement(_ address: [UInt8], _ mac: [UInt8]) -> [UInt8] {
    let allNodes: [UInt8] = [0xff, 0x02] + [UInt8](repeating: 0, count: 13) + [1]
    var message: [UInt8] = [136, 0, 0, 0, 0x20, 0, 0, 0] + address + [2, 1] + mac
    // The checksum covers a pseudo header: source, destination, length, next header 58.
    let pseudo = address + allNodes + [0, 0, 0, UInt8(message.count), 0, 0, 0, 58]
    var sum: UInt32 = 0
    let bytes = pseudo + message
    for index in stride(from: 0, to: bytes.count, by: 2) { sum += UInt32(bytes[index]) << 8 | UInt32(bytes[index + 1]) }
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    message[2] = UInt8(truncatingIfNeeded: ~sum >> 8)
    message[3] = UInt8(truncatingIfNeeded: ~sum)
    let header: [UInt8] = [0x60, 0, 0, 0, 0, UInt8(message.count), 58, 255] + address + allNodes
    return [0x33, 0x33, 0, 0, 0, 1] + mac + [0x86, 0xdd] + header + message
}
