/// Stands for NIO's type of this name: of a failure, fuzzing only asks whether there was one.
public enum HTTPResponseStatus: Sendable {
    case badRequest
}
