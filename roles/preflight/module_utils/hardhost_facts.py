"""Read everything that decisions and modules need from one Docker host, once, and change nothing.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import glob
import hmac
import os
import re
import shutil
import socket

from ansible.module_utils import hardhost_docker as docker
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_log_target as log_targets
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_selinux_kernel as selinux
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_unit as units
from ansible.module_utils.hardhost_options import OptionsError, parse
from ansible.module_utils.hardhost_redaction import redact, redact_texts

FAMILIES = {
    "debian": "debian",
    "ubuntu": "debian",
    "rhel": "redhat",
    "centos": "redhat",
    "fedora": "redhat",
    "rocky": "redhat",
    "almalinux": "redhat",
    "ol": "redhat",
}


def collect():
    """The facts of this host: those of `collect_local`, and what the daemon says of itself."""
    facts = collect_local()
    unit = facts["unit"]
    facts.update(
        machine_id=_machine_id(),
        snap=_snap(unit),
        podman=_podman(),
        user_namespaces=_user_namespaces(),
        bridge_netfilter=_bridge_netfilter(),
        selinux=selinux.read(),
    )
    facts.update(_api(facts["engine"]))
    facts["data_roots"] = _data_roots(facts)
    facts["containerd_error"] = _containerd(facts)
    facts["silent_collectors"] = _silent_collectors(facts["containers"])
    return facts


def collect_local(directory=states.DIRECTORY):
    """System, engine, unit, process, flags, identities, daemon.json and state: what a module needs, quickly.

    `daemon_json.data` holds the raw bytes. See the functions below for the other shapes.
    """
    facts = collect_configured()
    process, configured = _daemon(facts["unit"]), facts.pop("configured")
    engine = _engine(process, configured)
    state, state_error = _state(directory)
    facts.update(
        os=_os(),
        state=state,
        state_error=state_error,
        engine=engine,
        process=process,
        identities=_identities(),
        arguments={
            "configured": configured,
            "running": process["arguments"] if process else configured,
        },
        info=_info(engine),
    )
    return facts


def collect_configured():
    """Unit, its flags and daemon.json: what tells which files Docker reads; asks no program but systemd."""
    os.environ["PATH"] = programs.PATH  # a login shell's PATH on Debian has no sbin
    unit = units.show("docker.service")
    configured = units.command(unit)
    return {
        "unit": {key: unit.get(key, "") for key in units.PROPERTIES},
        "configured": configured,
        "flags": units.flags(configured),
        "daemon_json": _daemon_json(units.config_file(configured)),
    }


def _machine_id(path="/etc/machine-id"):
    """Tells this machine from others, "" where nothing does; a digest, for machine-id(5) wants the id itself kept."""
    try:
        found = (files.read(path) or b"").strip()
    except OSError:
        return ""
    if not re.match(rb"[0-9a-f]{32}\Z", found):  # it is `uninitialized` during the first boot
        return ""
    return hmac.new(found, b"hardhost", "sha256").hexdigest()


def _os():
    text = (files.read("/etc/os-release") or b"").decode("utf-8", "replace")
    values = {
        name: value.strip("\"'") for name, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)
    }
    names = [values.get("ID", "")] + values.get("ID_LIKE", "").split()
    family = next((FAMILIES[name] for name in names if name in FAMILIES), "")
    return {
        "id": values.get("ID", ""),
        "version": values.get("VERSION_ID", ""),
        "family": family,
        "pretty": values.get("PRETTY_NAME", ""),
    }


def _daemon(unit):
    """The process of the unit's dockerd, or of one that was started by hand; None where none runs."""
    pid = int(unit.get("MainPID") or 0)
    if pid:
        return units.process(pid)
    for path in ("/run/docker.pid", "/var/run/docker.pid"):
        text = (files.read(path) or b"").strip()
        process = units.process(int(text)) if text.isdigit() else None
        if process and os.path.basename(process["arguments"][0]) == "dockerd":
            return process
    return None


def _binary(configured):
    """The dockerd that the unit starts, where it names one; else the first in PATH; "" where there is none."""
    named = configured[0] if configured else ""
    if os.path.basename(named) == "dockerd" and os.path.isabs(named) and os.path.exists(named):
        return named
    return shutil.which("dockerd") or ""


def _engine(process, configured):
    """`{installed, running, version, client, api, binary, candidate, on_disk}`; versions are "" where unknown.

    `version` is what runs, where something does, `on_disk` what would be started.
    """
    binary = _binary(configured)
    engine = {
        "installed": bool(binary),
        "running": False,
        "version": "",
        "client": "",
        "api": "",
        "binary": binary,
        "candidate": "",
        "on_disk": "",
    }
    if binary:
        engine["version"] = engine["on_disk"] = _first_version([binary, "--version"])
    else:
        engine["candidate"] = _candidate()
    if shutil.which("docker"):
        engine["client"] = _first_version(["docker", "--version"])
    if process:
        try:
            answer = docker.get("/version")
            engine.update(running=True, version=answer["Version"], api=answer["ApiVersion"])
        except docker.ApiError:
            pass
    return engine


def _first_version(words):
    found = re.search(r"version (\d[^\s,]*)", programs.answer(words))
    return found.group(1) if found else ""


def _candidate():
    """The version the package manager would install, where it can say so without the network."""
    found = re.search(
        r"Candidate: (?:\d+:)?(\d\S*)", programs.answer(["apt-cache", "policy", "docker.io"])
    )
    return found.group(1) if found else ""


def _snap(unit):
    return unit.get("FragmentPath", "").startswith("/etc/systemd/system/snap.") or (
        os.path.exists("/snap/bin/docker") and not shutil.which("dockerd")
    )


def _podman():
    """Whether the docker command is podman's stand-in."""
    command = shutil.which("docker")
    if not command:
        return False
    with open(command, "rb") as stream:  # a script; the real one is a program of 30 MB or more
        return b"podman" in stream.read(4096)


def _user_namespaces():
    text = (files.read("/proc/sys/user/max_user_namespaces") or b"0").strip()
    return {"supported": os.path.exists("/proc/self/ns/user"), "maximum": int(text or 0)}


def _bridge_netfilter():
    """Whether bridge traffic can be filtered: on already, or its module can be loaded."""
    if os.path.isdir("/proc/sys/net/bridge"):
        return {"active": True, "loadable": True}
    return {
        "active": False,
        "loadable": bool(
            programs.answer(["modprobe", "-n", "-v", "br_netfilter"]).startswith("insmod")
        ),
    }


def _identities():
    """`{subuid, subgid: [[name, start, count]], users: {name: uid}, groups: {name: gid}}`."""
    return {
        "subuid": _ranges("/etc/subuid"),
        "subgid": _ranges("/etc/subgid"),
        "users": _numbers("/etc/passwd"),
        "groups": _numbers("/etc/group"),
    }


def _ranges(path):
    lines = (files.read(path) or b"").decode("utf-8", "replace").splitlines()
    found = re.findall(r"^([^:#\n]+):(\d+):(\d+)\s*$", "\n".join(lines), re.MULTILINE)
    return [[name, int(start), int(count)] for name, start, count in found]


def _numbers(path):
    text = (files.read(path) or b"").decode("utf-8", "replace")
    return {
        name: int(number)
        for name, number in re.findall(r"^([^:\n]+):[^:\n]*:(\d+):", text, re.MULTILINE)
    }


def _daemon_json(path):
    """`{path, exists, described, data, options, error}`; `error` is the text of why it cannot be used."""
    found = {
        "path": path,
        "exists": os.path.lexists(path),
        "described": None,
        "data": None,
        "options": {},
        "error": "",
    }
    try:
        found["described"], found["data"] = files.describe(path), files.read(path)
        found["options"] = parse(found["data"])
    except OptionsError as error:
        found["error"] = "%s:%s" % (path, error)
    except OSError as error:
        found["error"] = "%s: %s" % (path, error.strerror)
    return found


def _api(engine):
    """What the daemon says of itself; empty values where it does not answer."""
    facts = {
        "containers": [],
        "images": 0,
        "volumes": 0,
        "networks": [],
        "bridge": {},
        "api_error": "",
    }
    if not engine["running"]:
        return facts
    try:
        facts["containers"] = docker.containers(everything=True)
        facts["images"] = len(docker.get("/images/json", timeout=60))
        facts["volumes"] = len(docker.get("/volumes").get("Volumes") or [])
        networks = docker.get("/networks")
        facts["networks"] = sorted(
            one["Name"] for one in networks if one["Name"] not in ("bridge", "host", "none")
        )
        facts["bridge"] = next(
            (one["Options"] or {} for one in networks if one["Name"] == "bridge"), {}
        )
    except docker.ApiError as error:
        facts["api_error"] = str(error)
    return facts


def _info(engine):
    """What the daemon says of itself; {} where it does not answer."""
    try:
        answer = docker.get("/info") if engine["running"] else None
    except docker.ApiError:
        answer = None
    if answer is None:
        return {}
    names = (
        "ServerVersion",
        "SecurityOptions",
        "LiveRestoreEnabled",
        "LoggingDriver",
        "Driver",
        "DriverStatus",
        "DockerRootDir",
        "Debug",
        "ExperimentalBuild",
        "CgroupDriver",
        "CgroupVersion",
        "DefaultRuntime",
        "OperatingSystem",
        "KernelVersion",
        "Architecture",
    )
    info = {name: answer.get(name) for name in names}
    info["SecurityOptions"] = answer.get("SecurityOptions") or []
    registries = answer.get("RegistryConfig") or {}
    indexes = registries.get("IndexConfigs") or {}
    info["InsecureRegistries"] = sorted(
        (registries.get("InsecureRegistryCIDRs") or [])
        + [name for name, one in indexes.items() if one.get("Secure") is False]
    )
    info["Swarm"] = (answer.get("Swarm") or {}).get("LocalNodeState", "inactive")
    return info


def _data_roots(facts):
    """The data roots that user namespaces made below the one in use, with what holds a range back from removal."""
    root = facts["info"].get("DockerRootDir") or "/var/lib/docker"
    above = os.path.dirname(root) if re.search(r"/\d+\.\d+$", root) else root
    return sorted(path for path in glob.glob(above + "/*") if re.search(r"/\d+\.\d+$", path))


def _containerd(facts):
    """Why the containerd which dockerd is told to use does not answer; "" where it does, or dockerd brings its own."""
    path = facts["flags"].get("containerd") or facts["daemon_json"]["options"].get("containerd")
    if not facts["process"] or not isinstance(path, str) or not path.startswith("/"):
        return ""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(10)
    try:
        connection.connect(path)
    except OSError as error:
        return "containerd does not answer at %s (%s)" % (path, error.strerror or error)
    finally:
        connection.close()
    return ""


def _silent_collectors(containers):
    """`{target: why}` of the places to which running containers log and where nobody answers; each is asked once."""
    targets = {one["log_target"] for one in containers if one["running"]}
    found = {target: log_targets.unreachable(target) for target in sorted(targets)}
    return {target: why for target, why in found.items() if why}


def _state(directory):
    try:
        return states.load(directory), ""
    except states.StateError as error:
        return states.empty(), str(error)


def public(facts):
    """The facts without bytes and without anything that may be a secret, for artifacts and reports."""
    hidden = ("state", "identities", "texts")
    shown = {key: value for key, value in facts.items() if key not in hidden}
    shown["daemon_json"] = {
        "path": facts["daemon_json"]["path"],
        "exists": facts["daemon_json"]["exists"],
        "error": facts["daemon_json"]["error"],
        "options": redact(facts["daemon_json"]["options"]),
    }
    shown["flags"] = redact(facts["flags"])
    shown["unit"] = {
        key: facts["unit"][key] for key in ("ActiveState", "FragmentPath", "DropInPaths")
    }
    shown["process"] = {
        key: value for key, value in (facts["process"] or {}).items() if key != "arguments"
    }
    shown.pop("arguments")
    return redact_texts(shown)
