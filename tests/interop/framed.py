"""Packets in WebSocket frames (RFC 6455): a wire that begins with the handshake, and puts packets in frames of its own cut."""

import base64
import hashlib
import os
import random
import time

import drawn

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, BINARY, PING, PONG = 0, 2, 9, 10
MASKED = FINAL = 128
ASKS = """GET /mqtt HTTP/1.1
Host: hub
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Key: {}
Sec-WebSocket-Protocol: mqtt
Sec-WebSocket-Version: 13

"""
ANSWERS = """HTTP/1.1 101 Switching Protocols
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Accept: {}
Sec-WebSocket-Protocol: mqtt

"""


class Wire(drawn.Wire):
    """`is_hub`: it answers the handshake, and does not mask."""

    def __init__(self, sock, is_hub):
        super().__init__(sock)
        # Bytes of a frame that is not whole yet.
        self.is_hub, self.raw, self.draw = is_hub, b"", random.Random(1)
        self._greet()

    def _greet(self):
        key = base64.b64encode(os.urandom(16))
        if not self.is_hub:
            self._say(ASKS, key)
        until = time.monotonic() + 3
        while b"\r\n\r\n" not in self.raw:
            if not self.has_more(max(0.0, until - time.monotonic())):
                raise EOFError
            self.raw += super().more()
        head, self.raw = self.raw.split(b"\r\n\r\n", 1)
        if self.is_hub:
            fields = dict(line.lower().split(b": ", 1)[:1] + line.split(b": ", 1)[1:] for line in head.split(b"\r\n")[1:])
            self._say(ANSWERS, base64.b64encode(hashlib.sha1(fields[b"sec-websocket-key"] + GUID).digest()))
        elif b" 101 " not in head.split(b"\r\n")[0]:
            raise EOFError
        self.come = self._payload()

    def _say(self, head, key):
        self.sock.sendall(head.format(key.decode()).replace("\n", "\r\n").encode())

    def send(self, data):
        """In one frame, in two, in two parts of a message with a PING between them, or behind an empty one."""
        at = self.draw.randrange(1, len(data))
        frames = self.draw.choice((
            [(BINARY | FINAL, data)],
            [(BINARY | FINAL, data[:at]), (BINARY | FINAL, data[at:])],
            [(BINARY, data[:at]), (PING | FINAL, b"hey"), (CONTINUATION | FINAL, data[at:])],
            [(BINARY | FINAL, b""), (BINARY | FINAL, data)],
        ))
        super().send(b"".join(self._frame(first, payload) for first, payload in frames))

    def _frame(self, first, payload):
        length, masked = len(payload), 0 if self.is_hub else MASKED
        size = bytes([masked | length]) if length < 126 else bytes([masked | 126]) + length.to_bytes(2, "big")
        key = b"" if self.is_hub else os.urandom(4)
        return bytes([first]) + size + key + unmasked(payload, key)

    def more(self):
        self.raw += super().more()
        return self._payload()

    def _payload(self):
        """What the frames carry that are whole."""
        payload = b""
        while frame := self._first_frame():
            kind, part = frame
            if kind in (CONTINUATION, BINARY):
                payload += part
            elif kind == PING:
                super().send(self._frame(PONG | FINAL, part))
        return payload

    def _first_frame(self):
        if len(self.raw) < 2:
            return None
        length, at = self.raw[1] & 127, 2
        if length > 125:
            at = 4 if length == 126 else 10
            length = int.from_bytes(self.raw[2:at], "big")
        is_masked = self.raw[1] & MASKED
        assert bool(is_masked) == self.is_hub, "only a client masks"
        start = at + (4 if is_masked else 0)
        if len(self.raw) < start + length:
            return None
        kind, key, part = self.raw[0] & 15, self.raw[at:start], self.raw[start:start + length]
        self.raw = self.raw[start + length:]
        return kind, unmasked(part, key)


def unmasked(payload, key):
    return bytes(byte ^ key[place % 4] for place, byte in enumerate(payload)) if key else payload
