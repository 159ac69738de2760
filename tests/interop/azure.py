"""A device of Azure's own SDK for Python (`pip install azure-iot-device`): connects, sends telemetry, tells what it sees.

Usage: azure.py --ca FILE [--host HOST] [--device ID] [--key BASE64] [--keep-alive N] [--every N] [--seconds N]
                [--retry N] [--token-lifetime N | --fixed-token N] [--fault OPERATION:DELAY:DURATION]... [--twin]
                [--verbose]

--token-lifetime is the SDK's: it renews a token 120 s before its end, by a connection of its own, so it has to be more
than 120. --fixed-token gives it a token of this life that it cannot renew, and a new one each time that the link ended
with its token: the cycle of error 404104.

--fault sends a fault-injection message as the end-to-end tests of the SDKs do, its delay and duration in seconds: the first
after 3 s, the next each --fault-every.

The SDK always connects to port 8883. One line per event, with seconds since the start. SIGTERM ends it before its time.
It ends with 0 if at the end the device is connected and its last message was acknowledged, else with 1.
"""

import argparse
import base64
import hashlib
import hmac
import logging
import os
import signal
import sys
import threading
import time
import urllib.parse

# This file's own folder is looked in first, and this file has the name of the SDK's package.
sys.path.pop(0)

import paho.mqtt
from azure.iot.device import IoTHubDeviceClient, Message, constant

BEGAN = time.monotonic()
OUTPUT = threading.Lock()
ENOUGH = threading.Event()


def tell(text):
    with OUTPUT:
        # In one write: others write to the same place.
        os.write(1, f"{time.monotonic() - BEGAN:8.3f}  {text}\n".encode())


class Device:
    def __init__(self, settings):
        self.settings = settings
        self.key = settings.key or base64.b64encode(b"brownout").decode()
        self.expires = None
        with open(settings.ca, encoding="ascii") as file:
            options = {"server_verification_cert": file.read()}
        if settings.keep_alive:
            options["keep_alive"] = settings.keep_alive
        if settings.retry:
            options["connection_retry_interval"] = settings.retry
        if settings.token_lifetime:
            options["sastoken_ttl"] = settings.token_lifetime
        if settings.fixed_token:
            self.client = IoTHubDeviceClient.create_from_sastoken(self.token(), **options)
            self.client.on_new_sastoken_required = lambda: tell("a new token is required")
        else:
            connection = f"HostName={settings.host};DeviceId={settings.device};SharedAccessKey={self.key}"
            self.client = IoTHubDeviceClient.create_from_connection_string(connection, **options)
        self.client.on_connection_state_change = self.changed
        self.client.on_background_exception = lambda error: tell(f"error in the background: {describe(error)}")
        self.sent = self.acknowledged = 0
        self.senders = []

    def token(self):
        self.expires = int(time.time()) + self.settings.fixed_token
        scope = urllib.parse.quote(f"{self.settings.host}/devices/{self.settings.device}", safe="")
        signed = hmac.new(base64.b64decode(self.key), f"{scope}\n{self.expires}".encode(), hashlib.sha256)
        signature = urllib.parse.quote(base64.b64encode(signed.digest()), safe="")
        return f"SharedAccessSignature sr={scope}&sig={signature}&se={self.expires}"

    def changed(self):
        tell("connected" if self.client.connected else "disconnected")
        if not self.client.connected and self.expires and self.expires <= time.time():
            tell("the token has expired: a new one")
            self.client.update_sastoken(self.token())

    def send(self, number):
        """Sends one message; returns when it is acknowledged, or with an error."""
        began = time.monotonic()
        try:
            self.client.send_message(f"message {number}")
        except Exception as error:  # whatever it is, it is what is looked for
            tell(f"message {number} failed after {time.monotonic() - began:.3f} s: {describe(error)}")
        else:
            self.acknowledged = max(self.acknowledged, number)
            tell(f"message {number} acknowledged after {time.monotonic() - began:.3f} s")

    def ask_for(self, fault):
        """Sends one fault-injection message, and waits for its acknowledgement."""
        operation, delay, duration = fault.split(":")
        message = Message("fault")
        message.custom_properties["AzIoTHub_FaultOperationType"] = operation
        message.custom_properties["AzIoTHub_FaultOperationCloseReason"] = "boom"
        message.custom_properties["AzIoTHub_FaultOperationDelayInSecs"] = delay
        message.custom_properties["AzIoTHub_FaultOperationDurationInSecs"] = duration
        tell(f"fault {operation} asked for")
        began = time.monotonic()
        try:
            self.client.send_message(message)
        except Exception as error:  # whatever it is, it is what is looked for
            tell(f"fault {operation} failed after {time.monotonic() - began:.3f} s: {describe(error)}")
        else:
            tell(f"fault {operation} acknowledged after {time.monotonic() - began:.3f} s")

    def ask_for_each(self, faults, every):
        wait = 3.0
        for fault in faults:
            if ENOUGH.wait(wait):
                return
            threading.Thread(target=self.ask_for, args=(fault,), daemon=True).start()
            wait = every

    def send_each(self, every, end):
        """Each message on a thread of its own: the SDK blocks until the acknowledgement, over reconnects too."""
        while time.monotonic() < end and not ENOUGH.is_set():
            self.sent += 1
            tell(f"message {self.sent} sent")
            self.senders.append(threading.Thread(target=self.send, args=(self.sent,), daemon=True))
            self.senders[-1].start()
            ENOUGH.wait(max(0, min(every, end - time.monotonic())))
        # Less than the 5 s after which brownout kills a command that it has told to end.
        if self.senders:
            self.senders[-1].join(timeout=4)

    def leave(self):
        """Shuts the SDK down, and waits until each sender has told what came of its message: those that still wait for an
        acknowledgement are cancelled by that."""
        self.client.shutdown()
        end = time.monotonic() + 0.5
        for sender in self.senders:
            sender.join(timeout=max(0, end - time.monotonic()))


def describe(error):
    cause = f" ({describe(error.__cause__)})" if error.__cause__ else ""
    return f"{type(error).__name__}: {error}{cause}"


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ca", required=True)
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--device", default="dev1")
    parser.add_argument("--key")
    parser.add_argument("--keep-alive", type=int)
    parser.add_argument("--every", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--retry", type=int)
    parser.add_argument("--token-lifetime", type=int)
    parser.add_argument("--fixed-token", type=int)
    parser.add_argument("--fault", action="append", default=[])
    parser.add_argument("--fault-every", type=float, default=12.0)
    parser.add_argument("--twin", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def main():
    settings = arguments()
    if settings.verbose:
        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    tell(f"azure-iot-device {constant.VERSION} over paho-mqtt {paho.mqtt.__version__}, Python {sys.version.split()[0]}")
    signal.signal(signal.SIGTERM, lambda *_: ENOUGH.set())
    end = time.monotonic() + settings.seconds
    device = Device(settings)
    try:
        device.client.connect()
    except Exception as error:
        tell(f"could not connect: {describe(error)}")
    if settings.twin:
        tell(f"twin: {device.client.get_twin()}")
        device.client.patch_twin_reported_properties({"brownout": True})
        tell("twin patched")
    threading.Thread(target=device.ask_for_each, args=(settings.fault, settings.fault_every), daemon=True).start()
    device.send_each(settings.every, end)
    well = device.client.connected and device.sent > 0 and device.acknowledged == device.sent
    tell(f"{device.sent} sent, last acknowledged {device.acknowledged}, {'well' if well else 'not well'}")
    # What still waits for an acknowledgement would hold the SDK's own shutdown.
    if device.client.connected:
        device.leave()
    sys.stdout.flush()
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
