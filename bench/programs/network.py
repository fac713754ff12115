# SPDX-License-Identifier: MIT
"""The network of QEMU's guest: a tap interface of this host, served by vhost-net, the fastest that QEMU has without hardware."""
import pathlib
import subprocess

HOST, GUEST = "10.78.0.1", "10.78.0.2"
INTERFACE = "farcall-tap"
GUEST_MODULES = ["failover", "net_failover", "virtio_net"]
HOST_MODULES = ["tun", "tap", "vhost_iotlb", "vhost", "vhost_net"]
GUEST_SETUP = f"ip link set lo up\nip addr add {GUEST}/24 dev eth0\nip link set eth0 up\n"


def load(setting, name):
    if pathlib.Path(f"/sys/module/{name}").exists():
        return
    if subprocess.run(["modprobe", "-q", name], check=False).returncode != 0:
        # In the rig the kernel's modules are not installed.
        subprocess.run(["insmod", setting.module(name)], check=True)


def prepare(setting):
    for name in HOST_MODULES:
        load(setting, name)
    subprocess.run(["ip", "link", "delete", INTERFACE], stderr=subprocess.DEVNULL, check=False)
    for words in (["tuntap", "add", INTERFACE, "mode", "tap"], ["addr", "add", f"{HOST}/24", "dev", INTERFACE],
                  ["link", "set", INTERFACE, "up"]):
        subprocess.run(["ip", *words], check=True)


def arguments():
    return ["-netdev", f"tap,id=net,ifname={INTERFACE},script=no,downscript=no,vhost=on", "-device", "virtio-net-pci,netdev=net"]
