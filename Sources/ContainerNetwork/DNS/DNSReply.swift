import Kernel

/// Writes answers into a buffer that is there already: nothing is allocated for one.
enum DNSReply {
    /// How long a client may keep an answer, in seconds: dockerd's figure.
    static let timeToLive: UInt32 = 600
    /// What this server takes and sends in one datagram: what passes every link unfragmented is for the internet;
    /// these datagrams never leave a loopback interface.
    static let datagramSize = 4096

    enum Answer {
        case address(InternetAddress)
        /// A name on the wire.
        case name([UInt8])
    }

    /// Writes a response: the question as it came, then the answers that fit.
    /// - Parameter limit: the most bytes it may have. Answers beyond are left out, and the response says so (TC).
    /// - Returns: how many bytes it has; 0 where the buffer does not even hold the question.
    static func write(
        _ code: DNSResponseCode, to query: DNSQuery, _ message: UnsafeRawBufferPointer, answers: [Answer] = [],
        limit: Int, into buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        let limit = min(limit, buffer.count)
        let trailer = query.payloadSize == nil ? 0 : 11
        var end = query.questionEnd
        guard end + trailer <= limit else { return 0 }
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: message[..<end]))
        var written: UInt16 = 0
        var isTruncated = false
        for answer in answers {
            let size: Int
            let type: UInt16
            switch answer {
            case .address(let address):
                size = address.isIPv4 ? 4 : 16
                type = address.isIPv4 ? DNSRecordType.a : DNSRecordType.aaaa
            case .name(let name):
                size = name.count
                type = DNSRecordType.ptr
            }
            guard end + 12 + size + trailer <= limit else {
                isTruncated = true
                break
            }
            // The question's name, by pointer.
            buffer.setWord(end, 0xc000 | UInt16(DNSHeader.size))
            buffer.setWord(end + 2, type)
            buffer.setWord(end + 4, 1)
            buffer.setWord(end + 6, UInt16(timeToLive >> 16))
            buffer.setWord(end + 8, UInt16(truncatingIfNeeded: timeToLive))
            buffer.setWord(end + 10, UInt16(size))
            end += 12
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[end...])
            switch answer {
            case .address(let address): target.copyBytes(from: address.bytes)
            case .name(let name): target.copyBytes(from: name)
            }
            end += size
            written += 1
        }
        if trailer > 0 {
            // The root, OPT, our datagram size as the class, no extended code, version 0, no options.
            buffer[end] = 0
            buffer.setWord(end + 1, DNSRecordType.opt)
            buffer.setWord(end + 3, UInt16(datagramSize))
            for index in (end + 5)..<(end + 11) { buffer[index] = 0 }
            end += trailer
        }
        writeHeader(
            id: query.id, queryFlags: query.flags, code, isTruncated: isTruncated, questions: 1, answers: written,
            additionals: trailer > 0 ? 1 : 0, into: buffer)
        return end
    }

    /// Writes the response to a message that could not be read: a header alone.
    static func writeRefusal(
        _ code: DNSResponseCode, to message: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        guard let header = DNSHeader(message), buffer.count >= DNSHeader.size else { return 0 }
        writeHeader(
            id: header.id, queryFlags: header.flags, code, isTruncated: false, questions: 0, answers: 0, additionals: 0,
            into: buffer)
        return DNSHeader.size
    }

    private static func writeHeader(
        id: UInt16, queryFlags: UInt16, _ code: DNSResponseCode, isTruncated: Bool, questions: UInt16, answers: UInt16,
        additionals: UInt16, into buffer: UnsafeMutableRawBufferPointer
    ) {
        buffer.setWord(0, id)
        // QR and RA; the operation, RD and CD as they came.
        let flags: UInt16 = 0x8080 | queryFlags & 0x7910 | (isTruncated ? 0x0200 : 0) | UInt16(code.rawValue)
        buffer.setWord(2, flags)
        buffer.setWord(4, questions)
        buffer.setWord(6, answers)
        buffer.setWord(8, 0)
        buffer.setWord(10, additionals)
    }
}
