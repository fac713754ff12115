# SPDX-License-Identifier: MIT
"""Programs as Debian ships them: sqlite inserts, redis and nginx as servers in the guest, short connections out of it."""
import csv
import re
import socket
import subprocess
import time

from line import Lost

SQLITE, REDIS, NGINX = "/usr/bin/sqlite3", "/usr/bin/redis-server", "/usr/sbin/nginx"
PACKED = [SQLITE, REDIS, NGINX]
REDIS_PORT, WEB_PORT = 6379, 8080
FEW, MANY = 5, 45  # inserts: the difference is without the start of sqlite3
PAGE = 4096
NGINX_CONF = """worker_processes 1;
user root;
pid nginx.pid;
events {{ worker_connections 256; }}
http {{
  access_log off;
  sendfile on;
  keepalive_requests 1000000;
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
  server {{ listen {listen}; root files; }}
}}
"""


class Sqlite:
    """Each insert a transaction of its own: journal made, written, synced and removed."""
    names = ["sqlite insert"]

    def prepare(self, system):
        for name, count in (("few", FEW), ("many", MANY)):
            (system.directory / f"{name}.sql").write_text(f"insert into t(v) values('{'x' * 100}');\n" * count)
        system.shell("rm -f t.db; sqlite3 t.db 'create table t(k integer primary key, v text)'")

    def measure(self, system, _):
        few, many = (system.shell(f"sqlite3 t.db <{name}.sql") for name in ("few", "many"))
        count = MANY - FEW
        return {"count": count, "ns": [max(0, many["ns"][0] - few["ns"][0]) // count], "difference": True,
                "wall_ns": many["wall_ns"] - few["wall_ns"],
                "counts": {name: many["counts"][name] - few["counts"][name] for name in many["counts"]}}


def reachable(system, port):
    """Waits until the service answers, with a limit."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            socket.create_connection(system.service(port), timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise Lost(f"nobody answers at {system.service(port)}")


def client(command):
    try:
        return subprocess.run([*map(str, command)], capture_output=True, text=True, check=True, timeout=60).stdout
    except subprocess.CalledProcessError as failed:
        raise RuntimeError(f"{command}: {failed.stdout}{failed.stderr}") from failed
    except subprocess.TimeoutExpired as late:
        raise Lost(f"{command[0]} has not ended") from late


class Redis:
    """redis-benchmark on this host; the server keeps everything in memory, so this is its sockets."""
    names = [f"redis {what} ({clients} client{'s' * (clients > 1)})" for what in ("SET", "GET") for clients in (1, 10)]

    def prepare(self, system):
        host, port = system.service(REDIS_PORT)
        own = port if system.name == "host" else REDIS_PORT
        bind = "0.0.0.0" if host.startswith("10.") else "127.0.0.1"
        system.shell(f"redis-server --daemonize yes --save '' --appendonly no --protected-mode no --bind {bind} --port {own}")
        reachable(system, REDIS_PORT)

    def measure(self, system, name):
        what, clients = re.match(r"redis (\w+) \((\d+)", name).groups()
        host, port = system.service(REDIS_PORT)
        count = 400 if system.name != "host" else 4000

        def go():
            return client(["redis-benchmark", "--csv", "-h", host, "-p", port, "-t", what.lower(), "-n", count, "-c", clients])
        text, observed = system.observed(go)
        rate = next(float(row[1]) for row in csv.reader(text.splitlines()) if row and row[0] == what)
        return {"count": count, "ns": [int(1e9 / rate)], **observed}

    def finish(self, system):
        host, port = system.service(REDIS_PORT)
        subprocess.run(["redis-cli", "-h", host, "-p", str(port), "shutdown", "nosave"], capture_output=True, check=False)


class Nginx:
    """wrk on this host, eight connections that stay, and eight that are made anew for each request."""
    names = ["nginx 4 KiB", "nginx 4 KiB (a connection each)"]

    def prepare(self, system):
        root = system.directory / "nginx"
        (root / "files").mkdir(parents=True, exist_ok=True)
        (root / "tmp").mkdir(exist_ok=True)
        (root / "files/page").write_bytes(b"x" * PAGE)
        host, port = system.service(WEB_PORT)
        own = port if system.name == "host" else WEB_PORT
        bind = "0.0.0.0" if host.startswith("10.") else "127.0.0.1"
        (root / "nginx.conf").write_text(NGINX_CONF.format(listen=f"{bind}:{own}"))
        system.shell('nginx -p "$PWD/nginx" -c nginx.conf -e error.log')
        reachable(system, WEB_PORT)

    def measure(self, system, name):
        host, port = system.service(WEB_PORT)
        close = ["-H", "Connection: close"] if "each" in name else []
        command = ["wrk", "-t", 1, "-c", 8, "-d", "2s", "--timeout", "20s", *close, f"http://{host}:{port}/page"]
        text, observed = system.observed(lambda: client(command))
        if re.search(r"Non-2xx|Socket errors: (?!connect 0, read 0, write 0, timeout 0)", text):
            raise RuntimeError(f"{system.name}, {name}: {text}")
        count, seconds = re.search(r"(\d+) requests in ([\d.]+)s", text).groups()
        if int(count) == 0:
            raise Lost("nginx answers no more")
        return {"count": int(count), "ns": [int(float(seconds) * 1e9 / int(count))], **observed}

    def finish(self, system):
        system.shell('nginx -p "$PWD/nginx" -c nginx.conf -e error.log -s stop')


class Connect:
    """Out of the guest to a server of this host that accepts and closes: until the end is seen."""
    names = ["connect and close"]

    def prepare(self, system):
        pass

    def measure(self, system, _):
        count = 100
        return {"count": count, **system.measure("connect", 0, count, system.peer(), str(system.setting.accept_port))}


# Those that need a network have systems that have one.
FILES, NETWORK = [Sqlite()], [Redis(), Nginx(), Connect()]
