"""Makes a keyring with a new key: NAME FILE. The admin host has no tool of Ceph's that could."""

import base64
import os
import struct
import sys
import time

CAPS = {
    "mon.": ["mon"],
    "client.admin": ["mon", "osd", "mgr", "mds"],
}

name, path = sys.argv[1:]
secret = os.urandom(16)
key = base64.b64encode(struct.pack("<hiih", 1, int(time.time()), 0, len(secret)) + secret).decode()
lines = [f"[{name}]", f"\tkey = {key}"] + [f'\tcaps {service} = "allow *"' for service in CAPS[name]]
os.umask(0o077)
os.makedirs(os.path.dirname(path), exist_ok=True)
with open(path + ".new", "x") as file:
    file.write("\n".join(lines) + "\n")
os.rename(path + ".new", path)
