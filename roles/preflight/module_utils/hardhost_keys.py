"""The keys of daemon.json: type, first and last engine version, and whether a reload (SIGHUP) takes them over.

Read from the flag declarations, `daemon/config/config.go` and `daemon/reload.go` of moby's tags 19.03.15 to 29.7.2 and
docker/cli `docs/deprecated.md`. A key the engine does not know stops it from starting.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

_SINCE = {
    "log-format": "25.0",
    "bip6": "28.0",
    "ip-forward-no-drop": "28.0",
    "default-network-opts": "24.0",
    "allow-direct-routing": "28.2",
    "firewall-backend": "29.0",
    "bridge-accept-fwmark": "29.0",
    "default-stop-timeout": "29.7",
    "min-api-version": "29.0",
    "http-proxy": "23.0",
    "https-proxy": "23.0",
    "no-proxy": "23.0",
    "proxies": "23.0",
    "host-gateway-ips": "28.0",
    "cdi-spec-dirs": "25.0",
    "nri-opts": "29.2",
}
_REMOVED = {
    "graph": "24.0",
    "cluster-store": "24.0",
    "cluster-store-opts": "24.0",
    "cluster-advertise": "24.0",
    "oom-score-adjust": "26.0",
    "api-cors-header": "28.0",
}
_RELOADED = (
    "debug",
    "labels",
    "live-restore",
    "max-concurrent-downloads",
    "max-concurrent-uploads",
    "max-download-attempts",
    "runtimes",
    "default-runtime",
    "default-shm-size",
    "default-ipc-mode",
    "default-cgroupns-mode",
    "authorization-plugins",
    "insecure-registries",
    "registry-mirrors",
    "shutdown-timeout",
    "features",
    "network-diagnostic-port",
    "nri-opts",
    "default-stop-timeout",
)
_TYPES = {
    "bool": """icc no-new-privileges live-restore userland-proxy raw-logs debug experimental selinux-enabled tls
        tlsverify ip-forward ip-forward-no-drop ip-masq iptables ip6tables ipv6 allow-direct-routing init cri-containerd
        rootless""",
    "int": """mtu max-concurrent-downloads max-concurrent-uploads max-download-attempts shutdown-timeout
        default-stop-timeout network-diagnostic-port network-control-plane-mtu oom-score-adjust cpu-rt-period
        cpu-rt-runtime""",
    "string": """userns-remap userland-proxy-path log-level log-format seccomp-profile tlscacert tlscert tlskey group ip
        bip bip6 fixed-cidr fixed-cidr-v6 default-gateway default-gateway-v6 bridge firewall-backend
        bridge-accept-fwmark log-driver storage-driver default-cgroupns-mode default-ipc-mode default-shm-size
        cgroup-parent init-path default-runtime data-root exec-root pidfile min-api-version http-proxy https-proxy
        no-proxy host-gateway-ip metrics-addr containerd containerd-namespace containerd-plugins-namespace
        swarm-default-advertise-addr graph cluster-store cluster-advertise api-cors-header
        deprecated-key-path""",
    "list": """authorization-plugins hosts default-address-pools storage-opts exec-opts insecure-registries
        registry-mirrors allow-nondistributable-artifacts labels dns dns-opts dns-search host-gateway-ips cdi-spec-dirs
        node-generic-resources""",
    "map": "default-ulimits default-network-opts log-opts features runtimes proxies nri-opts builder cluster-store-opts",
}
KEYS = {
    name: {
        "type": kind,
        "since": _SINCE.get(name),
        "removed": _REMOVED.get(name),
        "reload": name in _RELOADED,
    }
    for kind, names in _TYPES.items()
    for name in names.split()
}
# Keys that give containers, images, volumes and networks another home: everything in the old one is out of view.
DATA_ROOT_KEYS = (
    "userns-remap",
    "data-root",
    "exec-root",
    "containerd",
    "containerd-namespace",
    "containerd-plugins-namespace",
    "storage-driver",
)
