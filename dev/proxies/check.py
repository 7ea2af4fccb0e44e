#!/usr/bin/env python3
"""Checks the configurations in docs/deploy with the real server and every proxy on PATH: `check.py PROGRAM PAGE [PROXY...]`.

The files are used as they are, but for ports, addresses and certificates. One line per proxy and check; the exit code is 1
if one failed. Needs openssl; uses grpcurl and curl if they are there. The longest check takes about 100 seconds, because
streams and sockets must outlive the proxies' idle timeouts of 60 seconds.
"""

import base64, concurrent.futures, contextlib, os, pathlib, re, shutil, struct, subprocess, sys, tempfile, uuid

from proxies import BASE, HOST, KEEPS, PROXIES, SILENCE, STRIPS, WAYS, WHOLE, Proxy, free_port, running, until_open

# Heartbeats of a stream, or pings of a socket: together longer than 60 seconds, because they are at least 16 apart.
BEATS = 5
# Joins of one address that the server allows.
JOINS = 5


def text_field(number, text):
    return bytes([number << 3 | 2, len(text)]) + text


def grpc_status(answer):
    found = re.search(rb"grpc-status: ?(\d+)", answer.read()) or re.match(rb"(\d+)", (answer.headers["grpc-status"] or "").encode())
    return int(found[1]) if found else f"HTTP {answer.status}"


def join(proxy, client=None, headers=()):
    message = text_field(1, b"guest" + uuid.uuid4().hex[:12].encode())
    return proxy.call("/chat.v1.ChatService/Join", message, headers, client)


def session(proxy):
    answer = join(proxy)
    expect(grpc_status(answer), 0)
    return {"cookie": answer.headers["set-cookie"].split(";")[0]}


def expect(found, wanted):
    if found != wanted:
        raise AssertionError(f"expected {wanted!r}, found {found!r}")


def page(proxy):
    answer = proxy.request("GET", "/")
    document = answer.read().decode()
    expect(re.search(r'<base href="?([^" >]+)', document)[1], f"{proxy.base}/")
    script = re.search(r"/?([\w.-]+\.js)\"", document)[1]
    expect((answer.status, answer.headers["strict-transport-security"]), (200, "max-age=31536000"))
    answer = proxy.request("GET", "/" + script, headers={"accept-encoding": "br"})
    expect((answer.status, answer.headers["content-encoding"]), (200, "br"))


def unary(proxy):
    body = proxy.call("/helloworld.Greeter/SayHello", text_field(1, b"Ada")).read()
    expect((b"Hello, Ada!" in body, b"grpc-status:0" in body), (True, True))


def cookies(proxy):
    cookie = session(proxy)
    expect(cookie["cookie"].startswith("__Secure-" if proxy.base else "__Host-"), True)
    expect(grpc_status(proxy.call("/chat.v1.ChatService/GetSession", b"", cookie)), 0)


def client_address(proxy):
    """Joins are counted for the real client, whatever it writes, and another client has a count of its own."""
    made_up = [join(proxy, proxy.clients[1], {"x-forwarded-for": f"203.0.113.{n}"}) for n in range(JOINS + 1)]
    expect([grpc_status(answer) for answer in made_up], [0] * JOINS + [8])
    expect(grpc_status(join(proxy, proxy.clients[2])), 0)


def outside(proxy):
    """The path without its last slash leads to the path."""
    answer = proxy.request("GET", "")
    expect((answer.status in (301, 308), answer.headers["location"].endswith(f"{BASE}/")), (True, True))


def frames(answer):
    """The messages of a gRPC-Web response, as they come."""
    while prefix := answer.read(5):
        yield prefix[0], answer.read(struct.unpack(">I", prefix[1:])[0])


def stream(proxy):
    """The first frame comes at once, and heartbeats for longer than the proxy's idle timeout. Then the server is still in use."""
    answer = proxy.call("/chat.v1.ChatService/Subscribe", b"", session(proxy))
    kinds = (message[0] >> 3 for flags, message in frames(answer) if flags == 0)
    expect(next(kinds), 1)
    for _ in range(BEATS):
        expect(next(kind for kind in kinds if kind == 8), 8)
    unary(proxy)


class Socket:
    """HTTP/2 inside a WebSocket, as far as pings go."""

    def __init__(self, proxy):
        self.wire = proxy.connect()
        key = base64.b64encode(os.urandom(16)).decode()
        self.wire.sendall(f"GET {proxy.base}/socket HTTP/1.1\r\nHost: {HOST}:{proxy.port}\r\nOrigin: https://{HOST}:{proxy.port}\r\n"
                          f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
                          "Sec-WebSocket-Protocol: h2ts\r\n\r\n".encode())
        self.file, self.inner = self.wire.makefile("rb"), b""
        self.status = int(self.file.readline().split()[1])
        while self.file.readline().strip():
            pass

    def send(self, data):
        # A mask of zeros leaves the bytes as they are.
        self.wire.sendall(bytes([0x82, 0x80 | len(data), 0, 0, 0, 0]) + data)

    def read(self, length):
        while len(self.inner) < length:
            _, size = self.file.read(2)
            self.inner += self.file.read(struct.unpack(">H", self.file.read(2))[0] if size == 126 else size)
        taken, self.inner = self.inner[:length], self.inner[length:]
        return taken

    def ping(self):
        """Waits for a ping, and answers it."""
        while True:
            head = self.read(9)
            payload = self.read(int.from_bytes(head[:3], "big"))
            if head[3] == 6 and head[4] == 0:
                return self.send(b"\0\0\x08\x06\x01\0\0\0\0" + payload)
            if head[3] == 4 and head[4] == 0:
                self.send(b"\0\0\0\x04\x01\0\0\0\0")


def websocket(proxy):
    opened = Socket(proxy)
    expect(opened.status, 101)
    opened.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0")
    for _ in range(BEATS):
        opened.ping()


def curl_stream(proxy):
    """The first frame over HTTP/2, as browsers have it."""
    command = ["curl", "-sN", "--http2", "--noproxy", "*", "--cacert", str(proxy.folder.parent / "certificate.pem"),
               "--resolve", f"{HOST}:{proxy.port}:127.0.0.1", "--data-binary", "@-"]
    headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1", **session(proxy)}
    command += [word for pair in headers.items() for word in ("-H", ": ".join(pair))]
    address = f"https://{HOST}:{proxy.port}{proxy.base}/chat.v1.ChatService/Subscribe"
    with subprocess.Popen([*command, "--max-time", str(SILENCE), address], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as curl:
        curl.stdin.write(bytes(5))
        curl.stdin.close()
        prefix = curl.stdout.read(5)
        curl.kill()
    expect((len(prefix), prefix[:1]), (5, b"\0"))


def native(proxy):
    """All kinds of native calls, with reflection, and a status other than OK."""
    def grpcurl(method, *flags, names=("Ada",)):
        command = ["grpcurl", "-cacert", str(proxy.folder.parent / "certificate.pem"), "-authority", HOST, "-max-time", "10"]
        data = "".join(f'{{"name": "{name}"}}' for name in names)
        done = subprocess.run([*command, *flags, "-d", data, f"127.0.0.1:{proxy.port}", f"helloworld.Greeter/{method}"],
                              capture_output=True, text=True, check=False)
        return done.stdout.count("Hello, ") or done.stderr.strip()

    expect(grpcurl("SayHello"), 1)
    expect(grpcurl("SayHelloStreamReply", "-H", "x-greeter-count: 3", "-H", "x-greeter-interval-ms: 1"), 3)
    expect(grpcurl("SayHelloClientStream", names=("Ada", "Grace")), 1)
    expect(grpcurl("SayHelloBidiStream", names=("Ada", "Grace")), 2)
    expect("InvalidArgument" in str(grpcurl("SayHelloStreamReply", "-H", "x-greeter-count: none")), True)


CHECKS = [page, unary, cookies, client_address, stream, websocket]


def result(check, proxy):
    try:
        check(proxy)
        return f"ok      {proxy.name}: {check.__name__}"
    except Exception as error:  # every failure of a check is a line of the report
        return f"FAILED  {proxy.name}: {check.__name__}: {error or type(error).__name__}"


def main(program, page_folder, names):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="chinwag-proxies-"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={HOST}", "-addext",
                    f"subjectAltName=DNS:{HOST}", "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
                   check=True, capture_output=True)
    both = (folder / "certificate.pem").read_bytes() + (folder / "key.pem").read_bytes()
    (folder / "haproxy.pem").write_bytes(both)
    web = CHECKS + [curl_stream] * bool(shutil.which("curl"))
    # grpcurl cannot call below a path.
    checks = {WHOLE: web + [native] * bool(shutil.which("grpcurl")), KEEPS: web + [outside], STRIPS: web + [outside]}
    base = {WHOLE: [], KEEPS: ["--base-path", f"{BASE}/"], STRIPS: ["--base-path", f"{BASE}/", "--base-path-stripped"]}
    lines = []
    with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(128) as pool:
        proxies = []
        for way in WAYS:
            port = free_port()
            server = [program, "--listen", f"127.0.0.1:{port}", "--data", str(folder / f"data{len(proxies)}"), "--page", page_folder,
                      "--host", HOST, "--secure-cookie", "--trusted-proxy", "127.0.0.1", "--rate-join-address", f"{JOINS}:1/h"]
            until_open(stack.enter_context(running(server + base[way])), port)
            proxies += [(way, Proxy(name, way, folder, port, len(proxies) + number)) for number, name in enumerate(names, 1)]
        for _, proxy in proxies:
            until_open(stack.enter_context(running(proxy.command)), proxy.port)
        tasks = [pool.submit(result, check, proxy) for way, proxy in proxies for check in checks[way]]
        for done in concurrent.futures.as_completed(tasks):
            lines.append(done.result())
            print(lines[-1], flush=True)
    shutil.rmtree(folder)
    return any(line.startswith("FAILED") for line in lines)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    chosen = sys.argv[3:] or [name for name in PROXIES if shutil.which(name)]
    sys.exit(main(sys.argv[1], sys.argv[2], chosen))
