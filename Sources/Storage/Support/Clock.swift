import Glibc
import OCI

extension DateTime {
    /// The time of day.
    static var now: DateTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return DateTime(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }

    /// Nanoseconds since 1970: good from 1678 to 2262.
    init(nanosecondsSince1970 value: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: 1_000_000_000)
        self.init(
            seconds: remainder < 0 ? quotient - 1 : quotient,
            nanoseconds: remainder < 0 ? remainder + 1_000_000_000 : remainder)
    }

    var nanosecondsSince1970: Int64 { seconds * 1_000_000_000 + nanoseconds }
}
