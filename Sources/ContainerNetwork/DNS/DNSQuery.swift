import Kernel

/// One question, as a client's message puts it.
struct DNSQuery {
    /// Why a message gets no ordinary answer.
    enum Refusal: Error, Equatable {
        /// Not a query at all: nothing may be sent, or two servers could talk to each other for ever.
        case ignored
        case answered(DNSResponseCode)
    }

    let id: UInt16
    let flags: UInt16
    let name: DNSName
    let type: UInt16
    let recordClass: UInt16
    /// Where the question ends in the message.
    let questionEnd: Int
    /// The size of datagram that the client takes (RFC 6891); `nil` without EDNS.
    let payloadSize: Int?

    init(_ message: UnsafeRawBufferPointer) throws(Refusal) {
        guard let header = DNSHeader(message), !header.isResponse else { throw .ignored }
        guard header.operation == 0 else { throw .answered(.notImplemented) }
        // One question; a record that a query may carry is EDNS's or a signature.
        guard header.questions == 1, header.answers <= 1, header.authorities <= 1, header.additionals <= 2 else {
            throw .answered(.formatError)
        }
        var offset = DNSHeader.size
        var payload: Int?
        do throws(DNSFormatError) {
            name = try DNSName(message, at: &offset)
            offset += 4
            guard offset <= message.count else { throw .truncated }
            questionEnd = offset
            for _ in 0..<(Int(header.answers) + Int(header.authorities) + Int(header.additionals)) {
                let record = try DNSRecord(message, at: &offset)
                if record.type == DNSRecordType.opt { payload = Int(record.recordClass) }
            }
        } catch { throw .answered(.formatError) }
        type = message.word(questionEnd - 4)
        recordClass = message.word(questionEnd - 2)
        id = header.id
        flags = header.flags
        payloadSize = payload
    }

    /// The most bytes that an answer in one datagram may have.
    func datagramLimit(atMost maximum: Int) -> Int { min(max(payloadSize ?? 512, 512), maximum) }
}

/// Where a record is in a message.
struct DNSRecord {
    let type: UInt16
    let recordClass: UInt16
    let timeToLive: UInt32
    let data: Range<Int>

    /// Reads all but the name and the data, and moves past the record.
    init(_ message: UnsafeRawBufferPointer, at offset: inout Int) throws(DNSFormatError) {
        try DNSName.skip(message, at: &offset)
        guard offset + 10 <= message.count else { throw .truncated }
        type = message.word(offset)
        recordClass = message.word(offset + 2)
        timeToLive = UInt32(message.word(offset + 4)) << 16 | UInt32(message.word(offset + 6))
        let size = Int(message.word(offset + 8))
        offset += 10
        guard offset + size <= message.count else { throw .truncated }
        data = offset..<(offset + size)
        offset += size
    }
}
