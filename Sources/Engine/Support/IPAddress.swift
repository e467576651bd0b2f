import Glibc

enum IPAddress {
    /// Whether `text` is an IPv4 or IPv6 address.
    static func isValid(_ text: some StringProtocol) -> Bool {
        var buffer = in6_addr()
        let text = String(text)
        return inet_pton(AF_INET, text, &buffer) == 1 || inet_pton(AF_INET6, text, &buffer) == 1
    }
}
