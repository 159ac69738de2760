"""brownout's TLS and WebSocket between programs that are not ours: mosquitto, its clients, paho, OpenSSL, curl.

Usage: tls.py PATH-TO-BROWNOUT [TEST ...]
"""

import sys

import tls_faults
import tls_modes
import websocket
from bench import main

if __name__ == "__main__":
    sys.exit(main([
        tls_modes.Modes, tls_modes.Passthrough, tls_modes.DeviceCertificates, tls_modes.Secrets, tls_modes.WrongPorts,
        tls_faults.Handshakes, tls_faults.Certificates, tls_faults.LiveLinks, tls_faults.PassedThrough,
        tls_faults.Sessions, tls_faults.ShippedProfiles, websocket.WebSockets,
    ]))
