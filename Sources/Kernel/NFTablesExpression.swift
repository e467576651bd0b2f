/// One step of an nf_tables rule. Each works on the same register (`NFT_REG_1`): what one loads, the next compares or
/// stores. A rule ends at the first comparison that fails.
public enum NFTablesExpression: Hashable, Sendable {
    /// Where in a packet an offset counts from (`NFT_PAYLOAD_*_HEADER`).
    public enum Header: UInt32, Sendable {
        case network = 1
        case transport = 2
    }

    /// Loads so many bytes of the packet.
    case load(Header, offset: UInt32, count: UInt32)
    /// Loads the number of the protocol above IP's, one byte.
    case loadTransportProtocol
    /// Goes on when the register holds these bytes.
    case compare([UInt8])
    /// Loads these bytes.
    case set([UInt8])
    /// Writes so many bytes of the register into the packet, and puts its internet checksum right, which is at an offset
    /// from the same header.
    case store(Header, offset: UInt32, count: UInt32, checksumOffset: UInt32)

    // NFTA_EXPR_NAME 1, NFTA_EXPR_DATA 2. Integers are in network order.
    func write(to request: inout NetlinkRequest) {
        let register = UInt32(1).bigEndian
        switch self {
        case .load(let header, let offset, let count):
            // NFTA_PAYLOAD_DREG 1, _BASE 2, _OFFSET 3, _LEN 4
            request.attribute(1, string: "payload")
            request.nest(2) {
                $0.attribute(1, register)
                $0.attribute(2, header.rawValue.bigEndian)
                $0.attribute(3, offset.bigEndian)
                $0.attribute(4, count.bigEndian)
            }
        case .loadTransportProtocol:
            // NFTA_META_DREG 1, _KEY 2: NFT_META_L4PROTO 16
            request.attribute(1, string: "meta")
            request.nest(2) {
                $0.attribute(2, UInt32(16).bigEndian)
                $0.attribute(1, register)
            }
        case .compare(let bytes):
            // NFTA_CMP_SREG 1, _OP 2 (NFT_CMP_EQ 0), _DATA 3 (NFTA_DATA_VALUE 1)
            request.attribute(1, string: "cmp")
            request.nest(2) {
                $0.attribute(1, register)
                $0.attribute(2, UInt32(0))
                $0.nest(3) { $0.attribute(1, bytes: bytes) }
            }
        case .set(let bytes):
            // NFTA_IMMEDIATE_DREG 1, _DATA 2 (NFTA_DATA_VALUE 1)
            request.attribute(1, string: "immediate")
            request.nest(2) {
                $0.attribute(1, register)
                $0.nest(2) { $0.attribute(1, bytes: bytes) }
            }
        case .store(let header, let offset, let count, let checksumOffset):
            // As a load, with NFTA_PAYLOAD_SREG 5, _CSUM_TYPE 6 (NFT_PAYLOAD_CSUM_INET 1), _CSUM_OFFSET 7
            request.attribute(1, string: "payload")
            request.nest(2) {
                $0.attribute(5, register)
                $0.attribute(2, header.rawValue.bigEndian)
                $0.attribute(3, offset.bigEndian)
                $0.attribute(4, count.bigEndian)
                $0.attribute(6, UInt32(1).bigEndian)
                $0.attribute(7, checksumOffset.bigEndian)
            }
        }
    }
}
