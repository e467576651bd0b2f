/// Feeds bytes to everything here that reads messages: the entry of the fuzz target.
public func fuzzDNSMessage(_ bytes: UnsafeRawBufferPointer) {
    var storage = [UInt8](repeating: 0, count: 4096)
    storage.withUnsafeMutableBytes { buffer in
        do throws(DNSQuery.Refusal) {
            let query = try DNSQuery(bytes)
            let answers: [DNSReply.Answer] = [.address(.init(ipv4: 127, 0, 0, 1)), .name([1, 97, 0])]
            let size = DNSReply.write(
                .success, to: query, bytes, answers: answers, limit: query.datagramLimit(atMost: 4096), into: buffer)
            if size > 0 {
                let reply = UnsafeRawBufferPointer(rebasing: buffer[..<size])
                let isAccepted = DNSUpstreamReply(reply, to: Array(bytes), questionEnd: query.questionEnd) != nil
                precondition(isAccepted, "our own reply does not answer the query")
            }
            _ = DNSPointerName.address(query.name.text)
        } catch {
            _ = DNSReply.writeRefusal(.formatError, to: bytes, into: buffer)
        }
    }
    guard let header = DNSHeader(bytes) else { return }
    var offset = DNSHeader.size
    do throws(DNSFormatError) {
        for _ in 0..<header.questions {
            _ = try DNSName(bytes, at: &offset)
            offset += 4
        }
        for _ in 0..<(Int(header.answers) + Int(header.authorities) + Int(header.additionals)) {
            var name = offset
            _ = try DNSName(bytes, at: &name)
            _ = try DNSRecord(bytes, at: &offset)
        }
    } catch {}
}
