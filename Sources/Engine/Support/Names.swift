import EngineModel
import Kernel

// The same word names a type in several modules; inside the engine these are meant.
public typealias Timestamp = EngineModel.Timestamp
public typealias Volume = EngineModel.Volume
public typealias ImageSummary = EngineModel.ImageSummary
public typealias ImageHistoryItem = EngineModel.ImageHistoryItem
public typealias DiskUsage = EngineModel.DiskUsage
package typealias Mount = EngineModel.Mount
package typealias FileDescriptor = Kernel.FileDescriptor

/// Identifiers and names of things.
package enum Names {
    /// 64 hexadecimal digits, for a container, exec or volume.
    package static func newID() -> String {
        while true {
            let id = randomHexadecimal(bytes: 32)
            // A short ID that is all digits could be taken for a number, as in a cgroup or host name.
            if id.prefix(12).contains(where: { !$0.isNumber }) { return id }
        }
    }

    package static func short(_ id: some StringProtocol) -> String {
        var text = id[...]
        if text.hasPrefix("sha256:") { text = text.dropFirst(7) }
        return String(text.prefix(12))
    }

    /// Whether `name` may name a container or a volume: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`, or one letter or digit less for
    /// volumes.
    package static func isValid(_ name: some StringProtocol, minimum: Int = 2) -> Bool {
        let bytes = Array(name.utf8)
        guard bytes.count >= minimum, let first = bytes.first, isAlphanumeric(first) else { return false }
        return bytes.allSatisfy { isAlphanumeric($0) || $0 == 0x5F || $0 == 0x2E || $0 == 0x2D }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    package static func isHexadecimal(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    /// A name such as `quiet_lovelace`.
    package static func random(attempt: Int) -> String {
        let adjective = adjectives.randomElement() ?? "quiet"
        let surname = surnames.randomElement() ?? "lovelace"
        return attempt == 0 ? "\(adjective)_\(surname)" : "\(adjective)_\(surname)\(Int.random(in: 0...9))"
    }

    private static let adjectives = words(
        """
        able agile airy amber ample ardent balmy blithe bold brave breezy bright brisk busy calm candid careful cheery
        civil clear clever cosy crisp curious daring dashing deft eager earnest easy elated epic exact fair famous fancy
        fearless fervent festive fine fleet fluent fond frank free fresh friendly gentle gifted glad golden good
        graceful grand great happy hardy hearty helpful honest hopeful humble ideal jolly jovial joyful keen kind lively
        loving loyal lucid lucky mellow merry mighty modest neat nimble noble patient peaceful placid plucky polite
        prime proud quick quiet quirky rapid ready regal robust rosy serene sharp shiny silent sincere sleek smart
        smooth snug sober solid sound spry stable steady stoic sturdy sunny supple swift tender thrifty tidy tranquil
        trusty upbeat valiant vivid warm wise witty worthy zealous zesty
        """)

    private static let surnames = words(
        """
        abel agnesi alhazen ampere archimedes aryabhata avicenna babbage banneker banzai bardeen bartik bassi becquerel
        bell berners blackburn bohr boole born bose boyd brahe brahmagupta brattain brown cannon cantor carson cartwright
        carver cauchy cerf chandrasekhar chaplygin chatelet church clarke colden cori cray curie darwin davinci diffie
        dijkstra dirac driscoll easley edison einstein elion engelbart euclid euler faraday fermat fermi feynman franklin
        galileo galois ganguly gates gauss germain goldberg goldstine goldwasser golick goodall gould haibt hamilton
        hawking hellman hermann herschel hertz heyrovsky hodgkin hofstadter hoover hopper hugle hypatia ishizaka jackson
        jang jemison jennings jepsen johnson joliot jones kalam kapitsa kare keldysh keller kepler khayyam khorana kilby
        kirch knuth kowalevski lalande lamarr lamport leakey leavitt lederberg lehmann lewin lichterman liskov lovelace
        lumiere mahavira margulis matsumoto maxwell mayer mccarthy mcclintock mclean mcnulty meitner mendel mendeleev
        meninsky merkle mestorf mirzakhani montalcini moore morse moser murdock napier nash neumann newton nightingale
        nobel noether northcutt noyce panini pare pascal pasteur payne perlman pike poincare poitras proskuriakova
        ptolemy raman ramanujan rhodes ride ritchie robinson roentgen rosalind rubin saha sammet sanderson satoshi
        shamir shannon shaw shirley shockley shtern sinoussi snyder solomon spence stonebraker sutherland swanson
        swartz swirles taussig tesla tharp thompson torvalds tu turing varahamihira vaughan villani visvesvaraya volhard
        wescoff wilbur wiles williams williamson wilson wing wozniak wright wu yalow yonath zhukovsky
        """)

    private static func words(_ text: String) -> [String] {
        text.split(whereSeparator: \.isWhitespace).map(String.init)
    }
}

extension Names {
    /// A random UUID (RFC 9562, version 4).
    package static func uuid() -> String {
        var digits = Array(randomHexadecimal(bytes: 16))
        digits[12] = "4"
        digits[16] = ["8", "9", "a", "b"][Int.random(in: 0..<4)]
        return [digits[0..<8], digits[8..<12], digits[12..<16], digits[16..<20], digits[20..<32]]
            .map { String($0) }.joined(separator: "-")
    }
}
