import Glibc
import OCI

/// The spec speaks v1's language; this says the same in v2's.
public enum CgroupConversion {
    /// `cpu.shares` (2 to 262144, usually 1024) to `cpu.weight` (1 to 10000, usually 100).
    ///
    /// A quadratic in the logarithm that meets (2, 1), (1024, 100) and (262144, 10000), so that the default stays the
    /// default; as runc and crun do since 2025. 0 is no value.
    public static func weight(shares: UInt64) -> UInt64 {
        if shares == 0 { return 0 }
        if shares <= 2 { return 1 }
        if shares >= 262144 { return 10000 }
        let logarithm = log2(Double(shares))
        let exponent = (logarithm * logarithm + 125 * logarithm) / 612 - 7.0 / 34
        return UInt64(ceil(pow(10, exponent)))
    }

    /// The weight (10 to 1000) of a block device to `io.weight` (1 to 10000). 0 is no value.
    public static func ioWeight(blkioWeight: UInt16) -> UInt64 {
        if blkioWeight == 0 { return 0 }
        return 1 + (UInt64(max(10, min(blkioWeight, 1000))) - 10) * 9999 / 990
    }

    /// What to write to `memory.max` and `memory.swap.max`; `nil` leaves a file alone.
    ///
    /// - Parameters:
    ///   - limit: -1 for none, 0 for no value.
    ///   - swap: memory and swap together; -1 for none, 0 for no value.
    public static func memory(limit: Int64, swap: Int64) throws(CgroupError) -> (memory: String?, swap: String?) {
        let memoryText = limit == 0 ? nil : limit < 0 ? "max" : "\(limit)"
        if swap == 0 { return (memoryText, limit == -1 ? "max" : nil) }
        if swap == -1 { return (memoryText, "max") }
        if limit == 0 || limit == -1 {
            throw CgroupError(
                .invalidResource,
                "linux.resources.memory.swap is \(swap), but there is no memory limit, which it has to include")
        }
        if limit < -1 || swap < -1 {
            throw CgroupError(.invalidResource, "a memory limit is \(min(limit, swap)); write -1 for none")
        }
        if swap < limit {
            throw CgroupError(
                .invalidResource,
                "linux.resources.memory.swap is \(swap), less than the memory limit \(limit), which it has to include")
        }
        return (memoryText, "\(swap - limit)")
    }

    /// Microseconds for `cpu.max`: `quota period`.
    /// - Parameter present: what the file holds, for what is not given.
    static func cpuMaximum(quota: Int64?, period: UInt64?, present: String?) -> String {
        let fields = present?.split(separator: " ").map { String($0) } ?? []
        let quotaText =
            switch quota {
            case nil, 0: fields.first ?? "max"
            case .some(let quota): quota < 0 ? "max" : "\(quota)"
            }
        let periodText =
            if let period, period != 0 { "\(period)" } else { fields.count > 1 ? fields[1] : "100000" }
        return "\(quotaText) \(periodText)"
    }
}
