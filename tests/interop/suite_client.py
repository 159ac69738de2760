#!/usr/bin/env python3
"""A small honest paho client for `brownout suite`: it does what the environment says, as paho does it by default.

    brownout suite client -- python3 tests/interop/suite_client.py

Nothing is done here about broken links: what the scorecard shows is what paho's own loop makes of them (see suite.py).
BROWNOUT_MQTT=5 speaks MQTT 5; BROWNOUT_SESSION=clean asks for a clean session [default: kept, as devices that count on
QoS 1 do].
"""

import os
import signal
import sys
import threading

import paho.mqtt.client as mqtt

env = os.environ
workload = env.get("BROWNOUT_WORKLOAD", "idle")
topic = env.get("BROWNOUT_TOPIC", "brownout/test")
qos = int(env.get("BROWNOUT_QOS", "1"))
interval = float(env.get("BROWNOUT_INTERVAL", "1"))
kept = env.get("BROWNOUT_SESSION", "kept") == "kept"
five = env.get("BROWNOUT_MQTT") == "5"

stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())

common = dict(callback_api_version=mqtt.CallbackAPIVersion.VERSION2, client_id=env.get("BROWNOUT_CLIENT_ID", "suite"))
client = mqtt.Client(protocol=mqtt.MQTTv5, **common) if five else mqtt.Client(clean_session=not kept, **common)


def on_connect(client, _userdata, flags, reason, _properties):
    print(f"connected: {reason}, session present {flags.session_present}", flush=True)
    # As paho's own examples: on each CONNACK.
    if workload == "sub" and not reason.is_failure:
        client.subscribe(topic, qos)


def on_disconnect(_client, _userdata, _flags, reason, _properties):
    print(f"disconnected: {reason}", flush=True)


client.on_connect = on_connect
client.on_disconnect = on_disconnect
host, port = env.get("BROWNOUT_HOST", "127.0.0.1"), int(env.get("BROWNOUT_PORT", "1884"))
settings = {}
if five:
    settings["clean_start"] = not kept
    if kept:
        settings["properties"] = mqtt.Properties(mqtt.PacketTypes.CONNECT)
        settings["properties"].SessionExpiryInterval = 3600
client.connect(host, port, int(env.get("BROWNOUT_KEEPALIVE", "60")), **settings)
client.loop_start()

number = 0
while not stopping.wait(interval):
    if workload == "pub":
        number += 1
        client.publish(topic, f"{number}", qos)
client.disconnect()
client.loop_stop()
sys.exit(0)
