/// What matters of an answer from a server that a query was forwarded to.
struct DNSUpstreamReply {
    let id: UInt16
    let isTruncated: Bool
    let responseCode: UInt8

    /// - Parameters:
    ///   - query: the message that was forwarded.
    ///   - questionEnd: where its question ends.
    /// - Returns: `nil` for what is no answer to that query: it goes unheard, the true answer may still come.
    init?(_ message: UnsafeRawBufferPointer, to query: [UInt8], questionEnd: Int) {
        guard let header = DNSHeader(message), header.isResponse, header.operation == 0 else { return nil }
        // A refusal may leave the question out.
        if header.questions == 0 && header.responseCode != 0 && message.count == DNSHeader.size {
        } else {
            guard header.questions == 1, message.count >= questionEnd else { return nil }
            for index in DNSHeader.size..<questionEnd where message[index] != query[index] {
                // Servers may change the case of letters in the name; nothing else.
                let a = message[index] | 32
                let b = query[index] | 32
                guard a == b, (97...122).contains(a), index < questionEnd - 4 else { return nil }
            }
        }
        id = header.id
        isTruncated = header.isTruncated
        responseCode = header.responseCode
    }
}
