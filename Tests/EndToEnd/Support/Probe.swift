/// The client's and server's side of a test's traffic: a Python program that runs wherever it is put.
enum Probe {
    enum Transport: String, Sendable { case tcp, udp, sctp }

    static func command(_ arguments: String...) -> [String] { ["python3", "-c", source] + arguments }

    private static let source = #"""
        import os, random, select, socket, struct, sys, threading, time
        mode, rest = sys.argv[1], sys.argv[2:]
        def family(address): return socket.AF_INET6 if ":" in address else socket.AF_INET
        def open_socket(address, name):
            kind = socket.SOCK_DGRAM if name == "udp" else socket.SOCK_STREAM
            return socket.socket(family(address), kind, socket.IPPROTO_SCTP if name == "sctp" else 0)
        def plain(address): return address[0].removeprefix("::ffff:")

        def ask(transport, address, port, seconds):
            s = open_socket(address, transport)
            s.settimeout(float(seconds))
            s.connect((address, int(port)))
            s.send(b"hello\n")
            print(s.recv(2000).decode().strip())

        def serve(transport, address, port):
            s = open_socket(address, transport)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((address, int(port)))
            if transport == "udp":
                print("ready", flush=True)
                while True:
                    text, peer = s.recvfrom(70000)
                    s.sendto(plain(peer).encode(), peer)
            s.listen(64)
            print("ready", flush=True)
            def talk(connection, peer):
                while text := connection.recv(2000): connection.sendall((plain(peer) + "\n").encode())
            while True: threading.Thread(target=talk, args=s.accept(), daemon=True).start()

        # Says a number, waits for the echo, for ever: its output ends when the connection does.
        def hold(address, port):
            s = socket.create_connection((address, int(port)), 10)
            number = 0
            while True:
                number += 1
                s.sendall(b"%d\n" % number)
                if not s.recv(100): sys.exit("closed")
                print(number, flush=True)
                time.sleep(0.02)

        TYPES = {"A": 1, "NS": 2, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
        def encode(name): return b"".join(bytes([len(l)]) + l.encode() for l in name.strip(".").split(".") if l) + b"\0"
        def decode(data, at):
            labels, end = [], None
            while data[at]:
                if data[at] >= 192:
                    end = end or at + 2
                    at = (data[at] & 63) << 8 | data[at + 1]
                else:
                    labels.append(data[at + 1:at + 1 + data[at]].decode()); at += 1 + data[at]
            return ".".join(labels), end or at + 1

        def query(server, name, type, transport):
            number = random.randrange(65536)
            message = struct.pack("!6H", number, 0x100, 1, 0, 0, 0) + encode(name) + struct.pack("!2H", TYPES[type], 1)
            s = open_socket(server, transport)
            s.settimeout(8)
            try:
                s.connect((server, 53))
                if transport == "tcp":
                    s.sendall(struct.pack("!H", len(message)) + message)
                    data = b""
                    while len(data) < 2 or len(data) < 2 + struct.unpack("!H", data[:2])[0]:
                        more = s.recv(70000)
                        if not more: sys.exit(print("closed"))
                        data += more
                    data = data[2:]
                else:
                    s.send(message)
                    data = s.recv(70000)
            except TimeoutError: sys.exit(print("timeout"))
            except ConnectionRefusedError: sys.exit(print("refused"))
            got, flags, questions, answers, _, _ = struct.unpack("!6H", data[:12])
            assert got == number and flags & 0x8000
            code = flags & 15
            if flags & 0x200: print("truncated")
            elif code: print({1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}.get(code, code))
            at, found = 12, []
            for _ in range(questions): at = decode(data, at)[1] + 4
            for _ in range(answers):
                at = decode(data, at)[1]
                kind_, _, _, length = struct.unpack("!HHIH", data[at:at + 10]); at += 10
                body = data[at:at + length]
                if kind_ == 1: found.append(socket.inet_ntop(socket.AF_INET, body))
                elif kind_ == 28: found.append(socket.inet_ntop(socket.AF_INET6, body))
                elif kind_ == 12: found.append(decode(data, at)[0])
                elif kind_ == 16: found.append(body[1:1 + body[0]].decode())
                at += length
            for text in sorted(found): print(text)

        # A name server: what it is asked goes to its output. "big." comes whole by TCP only, "slow." never, and what
        # does not end in ".test" does not exist.
        def dns(address):
            u = socket.socket(family(address), socket.SOCK_DGRAM); u.bind((address, 53))
            t = socket.socket(family(address), socket.SOCK_STREAM); t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            t.bind((address, 53)); t.listen(20)
            print("ready", flush=True)
            def answer(data, transport):
                number, flags, questions = struct.unpack("!3H", data[:6])
                name, end = decode(data, 12)
                type = struct.unpack("!H", data[end:end + 2])[0]
                question = data[12:end + 4]
                print(transport, name, {v: k for k, v in TYPES.items()}.get(type, type), flush=True)
                if name.startswith("slow."): return None
                records = []
                if name.endswith(".test"):
                    if name.startswith("big."):
                        if transport == "udp": return struct.pack("!6H", number, 0x8380, 1, 0, 0, 0) + question
                        records = [bytes([198, 51, 100, n]) for n in range(200)] if type == 1 else []
                    elif type == 1: records = [bytes([203, 0, 113, 7])]
                    elif type == 28: records = [socket.inet_pton(socket.AF_INET6, "2001:db8:7::7")]
                    elif type == 16: records = [b"\x05hello"]
                    code = 0
                else: code = 3
                body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", type, 1, 60, len(r)) + r for r in records)
                return struct.pack("!6H", number, 0x8180 | code, 1, len(records), 0, 0) + question + body
            def stream(connection):
                while head := connection.recv(2):
                    data = b""
                    while len(data) < struct.unpack("!H", head)[0]: data += connection.recv(70000)
                    if reply := answer(data, "tcp"): connection.sendall(struct.pack("!H", len(reply)) + reply)
            def streams():
                while True: threading.Thread(target=stream, args=(t.accept()[0],), daemon=True).start()
            threading.Thread(target=streams, daemon=True).start()
            while True:
                data, peer = u.recvfrom(70000)
                if reply := answer(data, "udp"): u.sendto(reply, peer)

        try: globals()[mode](*rest)
        except (OSError, AssertionError) as error: sys.exit(str(error))
        """#
}
