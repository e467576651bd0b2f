/// The header `Link` (RFC 8288).
enum LinkHeader {
    /// The target of `<…>; rel="next"`.
    static func next(_ header: String) -> String? {
        for link in header.split(separator: ",") {
            guard let open = link.firstIndex(of: "<"), let close = link.lastIndex(of: ">"), open < close else {
                continue
            }
            let parameters = link[close...].lowercased().filter { $0 != "\"" && $0 != " " }
            if parameters.contains("rel=next") { return String(link[link.index(after: open)..<close]) }
        }
        return nil
    }
}
