"""Starts the server and the proxies, with the files in docs/deploy, on free ports of 127.0.0.1; sends requests through them."""

import contextlib, http.client, os, pathlib, re, socket, ssl, struct, subprocess, sys, time

HOST = "chat.example"
DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "docs" / "deploy"
BASE = "/chat"
# The server has the whole origin, or is under a path that the proxy keeps or strips.
WHOLE, KEEPS, STRIPS = WAYS = "", " under a path", " that strips a path"
# Seconds without a byte after which a check fails: longer than the 24 between two heartbeats.
SILENCE = 40
# Modules that apache.conf needs, and those that Debian turns on and that act on requests and responses, with its settings.
MODULES = """alias authz_core deflate filter headers http2 mpm_event proxy proxy_http proxy_http2 reqtimeout rewrite socache_shmcb
             ssl""".split()
DEBIAN = """RequestReadTimeout header=20-40,minrate=500
RequestReadTimeout body=10,minrate=500
AddOutputFilterByType DEFLATE text/html text/plain text/xml text/css text/javascript application/javascript application/wasm
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Proxy:
    """A proxy with its file from docs/deploy, on a port of its own. `way` is one of WAYS."""

    def __init__(self, name, way, folder, server_port, number):
        self.name, self.port, self.folder = f"{name}{way}", free_port(), folder / f"{name}-{number}"
        self.base = BASE if way else ""
        self.clients = [f"127.0.{number}.{last}" for last in (1, 2, 3)]
        self.folder.mkdir()
        self.tls = ssl.create_default_context(cafile=folder / "certificate.pem")
        file, command, wrap = PROXIES[name]
        text = (DEPLOY / ("path" if way else "") / file).read_text()
        if way == STRIPS:
            text = text.replace("#STRIP ", "").replace("uri /chat/readyz", "uri /readyz")
        ports = {"443": self.port, "80": free_port(), "50051": server_port}
        for old, new in ports.items():
            text = re.sub(rf"(listen |bind :|\*:|127\.0\.0\.1:){old}\b", lambda m: local(m[1]) + str(new), text)
        text = text.replace("/etc/chinwag", str(folder))
        self.file = self.folder / file
        self.file.write_text(wrap(text, self, ports["80"]))
        self.command = [*command, str(self.file)]

    def connect(self, client=None):
        plain = socket.create_connection(("127.0.0.1", self.port), SILENCE, (client or self.clients[0], 0))
        return self.tls.wrap_socket(plain, server_hostname=HOST)

    def request(self, method, path, body=None, headers=(), client=None):
        connection = http.client.HTTPConnection(HOST, self.port)
        connection.sock = self.connect(client)
        connection.request(method, self.base + path, body, {"origin": f"https://{HOST}:{self.port}", **dict(headers)})
        return connection.getresponse()

    def call(self, path, message, headers=(), client=None):
        web = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1", **dict(headers)}
        return self.request("POST", path, b"\0" + struct.pack(">I", len(message)) + message, web, client)


def local(before):
    """The words before a port, with the loopback address in the place of all addresses."""
    return {"listen ": "listen 127.0.0.1:", "bind :": "bind 127.0.0.1:"}.get(before, before)


def nginx(text, proxy, _):
    at = proxy.folder
    temporary = "".join(f"{kind}_temp_path {at};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"daemon off; pid {at}/pid; error_log {at}/log; events {{}} http {{ access_log off; {temporary}\n{text}}}\n"


def caddy(text, proxy, http_port):
    site = f"https://{HOST}:{proxy.port} {{\n\ttls {proxy.folder.parent}/certificate.pem {proxy.folder.parent}/key.pem"
    options = f"{{\n\tadmin off\n\thttp_port {http_port}\n\thttps_port {proxy.port}\n\tdefault_bind 127.0.0.1\n}}\n"
    return options + text.replace(f"{HOST} {{", site)


def apache(text, proxy, http_port):
    at, modules = proxy.folder, os.environ.get("APACHE_MODULES", "/usr/lib/apache2/modules")
    loads = "".join(f"LoadModule {name}_module {modules}/mod_{name}.so\n" for name in MODULES)
    ports = f"Listen 127.0.0.1:{proxy.port}\nListen 127.0.0.1:{http_port}\n"
    user = "User www-data\nGroup www-data\n" if os.getuid() == 0 else ""
    return f"{loads}{DEBIAN}{ports}{user}ServerRoot {at}\nDefaultRuntimeDir {at}\nPidFile {at}/pid\nErrorLog {at}/log\n{text}"


PROXIES = {
    "nginx": ("nginx.conf", ["nginx", "-c"], nginx),
    "caddy": ("Caddyfile", ["caddy", "run", "--adapter", "caddyfile", "--config"], caddy),
    "haproxy": ("haproxy.cfg", ["haproxy", "-db", "-f"], lambda text, *_: text),
    "apache2": ("apache.conf", ["apache2", "-D", "FOREGROUND", "-f"], apache),
}


@contextlib.contextmanager
def running(command):
    """A program that is ended with the block."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def until_open(process, port):
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    sys.exit(f"{process.args[0]} does not listen: run {' '.join(process.args)}")
