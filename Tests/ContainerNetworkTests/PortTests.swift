import Kernel
import Testing

@testable import ContainerNetwork

@Suite(.enabled(if: canUseNetwork)) struct PortTests {
    let namespace: NetworkNamespace

    init() throws {
        namespace = try NetworkNamespace.make()
        try namespace.run { try bringLoopbackUp() }
    }

    func code(_ error: any Error) -> NetworkError.Code? { (error as? NetworkError)?.code }

    @Test func namesTheOwnerOfAConflict() throws {
        try namespace.run { () throws in
            let allocator = PortAllocator()
            let first = try allocator.reserve(.tcp, at: [.v4(.any), .v6(.any)], ports: 80...80, owner: "web")
            #expect {
                try allocator.reserve(.tcp, at: [.v4(.loopback)], ports: 80...80, owner: "api")
            } throws: { code($0) == .conflict && "\($0)".contains("container web") }
            // Another protocol is another port.
            let udp = try allocator.reserve(.udp, at: [.v4(.any)], ports: 80...80, owner: "dns")
            #expect(udp.port == 80)
            allocator.release(first)
            allocator.release(first)
            let second = try allocator.reserve(.tcp, at: [.v4(.loopback)], ports: 80...80, owner: "api")
            #expect {
                try allocator.reserve(.tcp, at: [.v4(.any)], ports: 80...80, owner: "web")
            } throws: { code($0) == .conflict && "\($0)".contains("container api") }
            // Half of what was refused is not kept.
            let six = try allocator.reserve(.tcp, at: [.v6(.any)], ports: 80...80, owner: "six")
            allocator.release(second)
            allocator.release(six)
        }
    }

    @Test(arguments: [PortProtocol.tcp, .udp]) func noticesOtherProcesses(_ networkProtocol: PortProtocol) throws {
        try namespace.run { () throws in
            let kind: Socket.Kind = networkProtocol == .tcp ? .stream : .datagram
            let other = try Socket.bind(kind, address: [127, 0, 0, 1], port: 8000, reusesAddress: true)
            if networkProtocol == .tcp { try Socket.listen(other) }
            let allocator = PortAllocator()
            #expect {
                try allocator.reserve(networkProtocol, at: [.v4(.any)], ports: 8000...8000, owner: "a")
            } throws: { code($0) == .conflict }
            // The next of a range is taken instead.
            let range = try allocator.reserve(networkProtocol, at: [.v4(.any)], ports: 8000...8001, owner: "a")
            #expect(range.port == 8001)
            #expect {
                try allocator.reserve(networkProtocol, at: [.v4(.any)], ports: 8000...8001, owner: "b")
            } throws: { code($0) == .exhausted }
            // And what is reserved, nobody else gets.
            #expect(throws: KernelError.self) {
                let thief = try Socket.bind(kind, address: [0, 0, 0, 0], port: 8001, reusesAddress: true)
                try Socket.listen(thief)
            }
            try range.discardTraffic()
            allocator.release(range)
            _ = try Socket.bind(kind, address: [0, 0, 0, 0], port: 8001)
            withExtendedLifetime(other) {}
        }
    }

    @Test func choosesFreePorts() throws {
        try namespace.run { () throws in
            let allocator = PortAllocator(dynamicRange: 50000...50004)
            let taken = try Socket.bind(.stream, address: [0, 0, 0, 0], port: 50001)
            try Socket.listen(taken)
            var ports: [UInt16] = []
            var reservations: [PortReservation] = []
            while let next = try? allocator.reserve(.tcp, at: [.v4(.any), .v6(.any)], owner: "a") {
                ports.append(next.port)
                reservations.append(next)
                #expect(next.bindings.count == 2)
            }
            #expect(ports == [50000, 50002, 50003, 50004])
            #expect { try allocator.reserve(.tcp, at: [.v4(.any)], owner: "a") } throws: { code($0) == .exhausted }
            // A port just given back rests while others are free.
            allocator.release(reservations[1])
            #expect(try allocator.reserve(.tcp, at: [.v4(.any)], owner: "a").port == 50002)
            #expect(PortAllocator().dynamicRange.lowerBound >= 1024)
            withExtendedLifetime(taken) {}
        }
    }

    @Test func refusesWhatCannotBe() throws {
        try namespace.run { () throws in
            let allocator = PortAllocator()
            #expect {
                try allocator.reserve(.tcp, at: [#require(IPAddress("203.0.113.7"))], ports: 80...80, owner: "a")
            } throws: { code($0) == .invalidArgument }
            #expect { try allocator.reserve(.tcp, at: [], ports: 80...80, owner: "a") } throws: {
                code($0) == .invalidArgument
            }
            #expect {
                try allocator.reserve(.tcp, at: [.v4(.any)], ports: 0...5, owner: "a")
            } throws: { code($0) == .invalidArgument }
            // Nothing of the failed reservations stays.
            #expect(try allocator.reserve(.sctp, at: [.v4(.any)], ports: 80...80, owner: "a").port == 80)
            #expect(try allocator.reserve(.tcp, at: [.v4(.any)], ports: 80...80, owner: "a").port == 80)
        }
    }
}
