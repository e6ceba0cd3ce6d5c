"""Prove by effect what new containers and networks get without asking.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from pathlib import Path

from ansible.module_utils import hardhost_docker as docker
from conclusions import NotInForce, ProvesNothing
from listening import PORT, greeting, listener, published

ICC = "com.docker.network.bridge.enable_icc"
ANSWER = "hardhost"
EVERYWHERE = "0.0.0.0"


def icc_user_networks(laboratory, _settings):
    code, output = _between_neighbours(laboratory, {ICC: "true"})
    if code != 0:
        raise ProvesNothing(f"on a network that allows it, two containers do not meet: {output}")
    code, output = _between_neighbours(laboratory, {})
    if code == 0:
        raise NotInForce("on a new network a container reached another")
    if code != 1 or not re.match(r"timeout|refused|unreachable", output):
        raise ProvesNothing(f"the attempt ended with {code}: {output}")
    return f"on a new network a container did not reach another ({output}); where allowed it did"


def _between_neighbours(laboratory, options):
    network = laboratory.network(options)
    _unused, address = listener(laboratory, network)
    code, output = laboratory.run(["connect", address, str(PORT)], {"NetworkMode": network})
    return code, output.strip()


def publish_on_loopback(laboratory, _settings):
    return _published_on_loopback(laboratory, "bridge")


def publish_on_loopback_networks(laboratory, _settings):
    return _published_on_loopback(laboratory, laboratory.network({}))


def _published_on_loopback(laboratory, network):
    wide = published(laboratory, network, EVERYWHERE)
    if greeting(wide["gateway"], wide["port"]) != ANSWER:
        raise ProvesNothing("a port that is published everywhere is not reached")
    found = published(laboratory, network, "")
    if not found["bound"].startswith("127."):
        raise NotInForce(f"a published port is bound to {found['bound']}")
    if greeting(found["gateway"], found["port"]) == ANSWER:
        raise NotInForce("a published port is reached at another address than loopback")
    return f"a published port is bound to {found['bound']}, and everywhere only where asked for"


def userland_proxy(laboratory, _settings):
    found = published(laboratory, "bridge", EVERYWHERE)
    if greeting(found["gateway"], found["port"]) != ANSWER:
        raise ProvesNothing("a published port does not answer")
    if _proxy_of(found["port"]):
        raise NotInForce("a docker-proxy process serves a published port")
    return "a published port answers, and no docker-proxy serves it"


def _proxy_of(port):
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text("utf-8", "replace").split("\0")
        except OSError:  # it has ended
            continue
        if words[0].endswith("docker-proxy") and str(port) in words:
            return True
    return False


def cgroup_namespace_private(laboratory, _settings):
    own = own_namespace()
    if _namespace(laboratory, {"CgroupnsMode": "host"}) != own:
        raise ProvesNothing("a container that asks for the host's cgroup namespace has another")
    if _namespace(laboratory, {}) == own:
        raise NotInForce("a container is in the host's cgroup namespace")
    return "a container has a cgroup namespace of its own, and the host's with --cgroupns=host"


def own_namespace():
    """The cgroup namespace of the host itself."""
    return str(Path("/proc/self/ns/cgroup").readlink())


def _namespace(laboratory, host):
    identifier = laboratory.start(["sleep", "60"], host)
    process = laboratory.inspect(identifier)["State"]["Pid"]
    return str(Path(f"/proc/{process}/ns/cgroup").readlink())


def ipc_private(laboratory, _settings):
    if _joins(laboratory, {"IpcMode": "shareable"}):
        raise ProvesNothing("a container cannot join the shared memory even of one that allows it")
    said = _joins(laboratory, {})
    if not said:
        raise NotInForce("a container joined the shared memory of another that had not allowed it")
    return f"a container could not join the shared memory of another ({said})"


def _joins(laboratory, host):
    """Why a container cannot join the IPC namespace of another; "" where it can."""
    other = laboratory.start(["sleep", "60"], host)
    try:
        laboratory.run(["exit"], {"IpcMode": f"container:{other}"})
    except docker.ApiError as error:
        if "IPC" not in str(error):
            raise
        return str(error)
    return ""


def log_destination(laboratory, settings):
    wanted = settings["docker_daemon_options"]
    if _log_config(laboratory, {"Type": "json-file"})["Type"] != "json-file":
        raise ProvesNothing("a container does not get the log driver it asks for")
    found = _log_config(laboratory, None)
    if found["Type"] != wanted["log-driver"]:
        raise NotInForce(f"a new container logs with {found['Type']}")
    options = {name: one for name, one in wanted["log-opts"].items() if isinstance(one, str)}
    other = sorted(name for name, one in options.items() if found["Config"].get(name) != one)
    if other:
        raise NotInForce(
            "a new container has "
            + ", ".join(f"{name} {found['Config'].get(name)}" for name in other)
        )
    return " ".join([f"a new container logs with {found['Type']}", *options.values()])


def _log_config(laboratory, config):
    identifier = laboratory.create(["exit"], {"LogConfig": config})
    return laboratory.inspect(identifier)["HostConfig"]["LogConfig"]


def minimum_api_version(_laboratory, settings):
    least = settings["docker_daemon_options"]["min-api-version"]
    below = f"1.{int(least.partition('.')[2]) - 1}"
    docker.get(f"/v{least}/info")
    try:
        docker.get(f"/v{below}/info")
    except docker.ApiError as error:
        if error.status == 400:
            return f"the API answers version {least} and refuses {below}"
        raise
    raise NotInForce(f"the API answers version {below}")


PROBES = {
    "docker_daemon/cgroup_namespace_private": cgroup_namespace_private,
    "docker_daemon/icc_user_networks": icc_user_networks,
    "docker_daemon/ipc_private": ipc_private,
    "docker_daemon/log_destination": log_destination,
    "docker_daemon/minimum_api_version": minimum_api_version,
    "docker_daemon/publish_on_loopback": publish_on_loopback,
    "docker_daemon/publish_on_loopback_networks": publish_on_loopback_networks,
    "docker_daemon/userland_proxy": userland_proxy,
}
