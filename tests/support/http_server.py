# SPDX-License-Identifier: MIT
"""A web server on 127.0.0.1 that serves a folder well or badly, as the first part of the path says:

    /plain/FILE               ranges, ETag, Last-Modified
    /noranges/FILE            neither of the three
    /nolength/FILE            the connection's end is the end of the file
    /bare/FILE                ranges, but nothing that tells whether the file is still the same
    /cut/FILE?at=N&times=K    the first K requests (default 1) end after N bytes of what was asked
    /hang/FILE?at=N&times=K   the same, but then nothing comes, and the connection stays
    /changing/FILE?at=N       the first request ends after N bytes, and then FILE.new is served
    /slow/FILE?rate=N         N bytes a second, and otherwise well
    /longer/FILE?add=N        promises N bytes more than come
    /redirect/FILE            leads to /plain/FILE
    /chain/N/FILE             leads there in N steps
    /loop/FILE                leads to /loop2/FILE, and that back
    /leave                    leads to a file: URL
    /status/CODE/FILE?times=K the first K requests (default: all) are answered so
    /typed/TYPE/SUB/FILE      that Content-Type

Every path takes rate=N. Each request becomes a line of JSON in FOLDER.log when it comes.

usage: http_server.py FOLDER [CERTIFICATE_AND_KEY]; prints its port, and ends with its standard input.
"""

import collections
import hashlib
import http.server
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse

PIECE = 1 << 16
seen = collections.Counter()
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *words):
        pass

    def lead(self, where):
        self.answer(302, [("Location", where), ("Content-Length", "0")])

    def answer(self, status, headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        words = urllib.parse.unquote(url.path).strip("/").split("/")
        values = {k: int(v[0]) for k, v in urllib.parse.parse_qs(url.query).items()}
        mode, rest = words[0], words[1:]
        with lock:
            seen[self.path] += 1
            count = seen[self.path]
            with open(sys.argv[1] + ".log", "a", encoding="utf-8") as log:
                log.write(json.dumps({"path": self.path, "range": self.headers.get("Range"),
                                      "host": self.headers.get("Host")}) + "\n")
        if mode == "redirect":
            return self.lead("/plain/" + "/".join(rest))
        if mode == "chain":
            left = int(rest[0]) - 1
            return self.lead("/".join(["/chain", str(left)] + rest[1:]) if left > 0
                             else "/plain/" + "/".join(rest[1:]))
        if mode in ("loop", "loop2"):
            return self.lead({"loop": "/loop2/", "loop2": "/loop/"}[mode] + "/".join(rest))
        if mode == "leave":
            return self.lead("file:///etc/hostname")
        if mode == "status" and count <= values.get("times", 1 << 30):
            body = b"<html><body>something is wrong</body></html>"
            self.answer(int(rest[0]), [("Content-Type", "text/html"),
                                       ("Content-Length", str(len(body)))])
            self.wfile.write(body)
            return
        kind = None
        if mode == "typed":
            kind = rest[0] + "/" + rest[1]
        path = os.path.join(sys.argv[1], rest[-1] if rest else "")
        if mode == "changing" and count > 1:
            path += ".new"
        if not os.path.isfile(path):
            self.answer(404, [("Content-Length", "0")])
            return
        self.serve(mode, path, values, count, kind)

    def serve(self, mode, path, values, count, kind):
        size = os.path.getsize(path)
        first = 0
        headers = []
        ranged = mode not in ("noranges", "nolength")
        named = ranged and mode != "bare"
        tag = '"%s"' % hashlib.sha256(
            ("%s %d %d" % (path, size, os.stat(path).st_mtime_ns)).encode()).hexdigest()[:16]
        asked = self.headers.get("Range")
        if named:
            headers += [("ETag", tag), ("Last-Modified", self.date_time_string(
                int(os.stat(path).st_mtime)))]
            if self.headers.get("If-Range") not in (None, tag):
                asked = None
        status = 200
        if asked and ranged:
            first = int(asked.split("=")[1].split("-")[0])
            if first >= size:
                self.answer(416, [("Content-Range", "bytes */%d" % size),
                                  ("Content-Length", "0")])
                return
            status = 206
            headers.append(("Content-Range", "bytes %d-%d/%d" % (first, size - 1, size)))
        length = size - first
        if mode == "nolength":
            headers.append(("Connection", "close"))
        else:
            headers.append(("Content-Length", str(length + values.get("add", 0))))
        if kind:
            headers.append(("Content-Type", kind))
        self.answer(status, headers)
        stop = length
        if mode in ("cut", "hang") and count <= values.get("times", 1):
            stop = min(length, values["at"])
        if mode == "changing" and count == 1:
            stop = min(length, values["at"])
        if mode in ("nolength", "longer") or stop < length:
            self.close_connection = True
        self.send(path, first, stop, values.get("rate"))
        if mode == "hang" and stop < length:
            self.rfile.read(1)

    def send(self, path, first, length, rate):
        with open(path, "rb") as file:
            if not rate and not isinstance(self.connection, ssl.SSLSocket):
                self.wfile.flush()
                try:
                    self.connection.sendfile(file, first, length)
                except OSError:
                    self.close_connection = True
                return
            file.seek(first)
            piece = max(1, rate // 20) if rate else PIECE
            try:
                while length > 0:
                    data = file.read(min(piece, length))
                    self.wfile.write(data)
                    length -= len(data)
                    if rate:
                        time.sleep(0.05)
            except OSError:
                self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *words):
        """Clients that go away, or do not trust the certificate, are what is being tested."""


server = Server(("127.0.0.1", 0), Handler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2])
    server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
