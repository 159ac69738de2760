"""A paho client for a namespace of its own: told what to do by JSON (its argument, then lines of standard input), it
writes what its callbacks say, a JSON object a line with the time of the wall clock.

    netns_client.py '{"host": "10.77.2.10", "port": 1883, "name": "paho-1", "keep_alive": 5}'

Commands: ["publish", topic, payload, qos], ["subscribe", topic, qos], ["disconnect"], ["stop"].
"""

import json
import sys
import threading
import time

import paho.mqtt.client as paho

LOCK = threading.Lock()


def tell(what, *more):
    with LOCK:
        print(json.dumps({"at": time.time(), "what": what, "more": more}), flush=True)


def main():
    given = json.loads(sys.argv[1])
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=given["name"], protocol=paho.MQTTv311)
    if given.get("cafile"):
        client.tls_set(ca_certs=given["cafile"])

    is_up = threading.Event()

    def disconnected(*_):
        # paho may say it twice.
        if is_up.is_set():
            is_up.clear()
            tell("down")

    def connected(_client, _userdata, _flags, code, _properties):
        if code.is_failure:
            tell("failed", str(code))
            return
        sock = client.socket()
        tell("from", list(sock.getsockname()[:2]), list(sock.getpeername()[:2]))
        is_up.set()
        tell("up")
        if given.get("subscribe"):
            client.subscribe(given["subscribe"], 1)

    client.on_connect = connected
    client.on_disconnect = disconnected
    client.on_subscribe = lambda *_: tell("subscribed")
    client.on_message = lambda _c, _u, message: tell("message", message.topic, message.payload.decode(errors="replace"))
    client.on_publish = lambda _c, _u, mid, *_: tell("acknowledged", mid)
    client.on_connect_fail = lambda *_: tell("failed", str(sys.exc_info()[1]))
    delay = given.get("delay", 1)
    client.reconnect_delay_set(delay, delay)
    client.connect_async(given["host"], given["port"], given["keep_alive"], bind_address=given.get("bind", ""))
    client.loop_start()
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        if command == "publish":
            topic, payload, qos = arguments
            client.publish(topic, payload, qos=qos)
        elif command == "subscribe":
            client.subscribe(*arguments)
        elif command == "disconnect":
            client.disconnect()
        elif command == "stop":
            break
    client.disconnect()
    client.loop_stop()


main()
