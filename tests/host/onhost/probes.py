"""Prove controls by effect, on the host: containers try what is forbidden, and what is allowed.

A probe takes the laboratory and the control's settings, and returns what it saw. It raises
`NotInForce` where the attempt succeeds, and `ProvesNothing` where its positive control fails: then
the attempt may have failed for any reason.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import functools
import re

from ansible.module_utils import hardhost_docker as docker
from conclusions import NotInForce, ProvesNothing
from confinement_probes import PROBES as CONFINEMENT
from default_probes import PROBES as DEFAULTS
from kernel_probes import PROBES as KERNEL
from laboratory import Laboratory
from listening import PORT, greeting, listener
from probed import AUDITED

NOBODY = "65534:65534"
ICC = "com.docker.network.bridge.enable_icc"


def run(wanted):
    """`{id: {status, reason}}` for `{"image": base64, "controls": {id: settings}}`."""
    without = {name: one for name, one in wanted["controls"].items() if name in AUDITED}
    within = {name: one for name, one in wanted["controls"].items() if name not in AUDITED}
    found = {
        name: _attempt(PROBES[name], None, settings) for name, settings in sorted(without.items())
    }
    if within:
        found.update(_in_containers(base64.b64decode(wanted["image"]), within))
    return found


def _in_containers(image, controls):
    try:
        with Laboratory(image) as laboratory:
            return {
                name: _attempt(PROBES[name], laboratory, settings)
                for name, settings in sorted(controls.items())
            }
    except docker.ApiError as error:
        return {
            name: {"status": "fail", "reason": f"the probe could not run: {error}"}
            for name in controls
        }


def _attempt(probe, laboratory, settings):
    try:
        return {"status": "pass", "reason": probe(laboratory, settings)}
    except NotInForce as error:
        return {"status": "fail", "reason": str(error)}
    except ProvesNothing as error:
        return {"status": "fail", "reason": f"the probe proves nothing: {error}"}
    except docker.ApiError as error:
        return {"status": "fail", "reason": f"the probe could not run: {error}"}


def engine_present(laboratory, _settings):
    code, output = laboratory.run(["exit"])
    if code != 0:
        raise NotInForce(f"a container ended with {code}: {output.strip()}")
    return "a container starts and ends"


def audited(control, _laboratory, settings):
    import audit_events  # noqa: PLC0415 - it needs the role, which not every project has

    try:
        return audit_events.prove(control, settings)
    except (audit_events.NothingKept, OSError) as error:
        raise ProvesNothing(str(error)) from error
    except audit_events.NoRecord as error:
        raise NotInForce(str(error)) from error


def icc(laboratory, _settings):
    listening, address = listener(laboratory, "bridge")
    if greeting(address) != "hardhost":
        raise ProvesNothing(f"the host itself does not reach a container at {address}")
    network = laboratory.network({ICC: "true"})
    _unused, neighbour = listener(laboratory, network)
    code, output = laboratory.run(["connect", neighbour, str(PORT)], {"NetworkMode": network})
    if code != 0:
        raise ProvesNothing(
            f"two containers on a network of their own do not reach each other: {output.strip()}"
        )
    code, output = laboratory.run(["connect", address, str(PORT)], {"NetworkMode": "bridge"})
    said = output.strip()
    if code == 0:
        raise NotInForce("a container on the default bridge reached another")
    if code != 1 or not re.match(r"timeout|refused|unreachable", said):
        raise ProvesNothing(f"the attempt ended with {code}: {said}")
    if "listening" not in laboratory.output(listening) or greeting(address) != "hardhost":
        raise ProvesNothing("the other container had stopped listening")
    return f"a container on the default bridge did not reach another ({said}); elsewhere it did"


def userns_remap(laboratory, _settings):
    outside = _outside(laboratory, {})
    if _outside(laboratory, {"UsernsMode": "host"}) != 0:
        raise ProvesNothing(
            "root of a container in the host's own user namespace does not show as 0"
        )
    if outside == 0:
        raise NotInForce("root in a container is root on the host")
    return f"root in a container is {outside} on the host, and 0 with --userns=host"


def _outside(laboratory, host):
    return int(_found(r"^--- \S*uid_map\n\s*0\s+(\d+)\s", _status(laboratory, host)).group(1))


def no_new_privileges(laboratory, _settings):
    text = _status(laboratory, {}, Entrypoint=["/probe-suid"], User=NOBODY)
    allowed = _status(
        laboratory,
        {"SecurityOpt": ["no-new-privileges=false"]},
        Entrypoint=["/probe-suid"],
        User=NOBODY,
    )
    if _effective(allowed) != 0:
        raise ProvesNothing("a setuid program gains nothing even where it is allowed to")
    if _effective(text) == 0 or _number("NoNewPrivs", text) != 1:
        raise NotInForce("a setuid program in a container became root")
    return (
        f"a setuid program stayed {_effective(text)}; with no-new-privileges=false it became root"
    )


def default_ulimits(laboratory, settings):
    wanted = settings["docker_daemon_options"]["default-ulimits"]["nofile"]
    expected = wanted["Soft"], wanted["Hard"]
    other = {"Name": "nofile", "Soft": 64, "Hard": 128}
    if _limits(laboratory, {"Ulimits": [other]}) != (64, 128):
        raise ProvesNothing("a container does not get the limits it asks for")
    found = _limits(laboratory, {})
    if found != expected:
        raise NotInForce(f"a container may open (soft, hard) {found} files, wanted is {expected}")
    return f"a container may open {found[0]} files, {found[1]} at most"


def _limits(laboratory, host):
    found = _found(r"^Max open files\s+(\d+)\s+(\d+)", _status(laboratory, host))
    return int(found.group(1)), int(found.group(2))


def log_rotation(laboratory, settings):
    wanted = settings["docker_daemon_options"]["log-opts"]
    if (
        _log_options(laboratory, {"Type": "json-file", "Config": {"max-size": "1k"}}).get(
            "max-size"
        )
        != "1k"
    ):
        raise ProvesNothing("a container does not get the log options it asks for")
    found = _log_options(laboratory, None)
    different = sorted(name for name, value in wanted.items() if found.get(name) != value)
    if different:
        raise NotInForce(
            "a new container has " + ", ".join(f"{name} {found.get(name)}" for name in different)
        )
    return "a new container has " + ", ".join(
        "{} {}".format(*one) for one in sorted(wanted.items())
    )


def _log_options(laboratory, config):
    identifier = laboratory.create(["exit"], {"LogConfig": config})
    return laboratory.inspect(identifier)["HostConfig"]["LogConfig"]["Config"]


def seccomp_default(laboratory, _settings):
    if _number("Seccomp", _status(laboratory, {"SecurityOpt": ["seccomp=unconfined"]})) != 0:
        raise ProvesNothing("a container is filtered even where it asks not to be")
    mode = _number("Seccomp", _status(laboratory, {}))
    if mode != 2:
        raise NotInForce(f"the kernel filters no system calls of a container (Seccomp: {mode})")
    return "the kernel filters a container's system calls, and not with seccomp=unconfined"


def _status(laboratory, host, **config):
    code, output = laboratory.run(["status"], host, **config)
    if code != 0:
        raise ProvesNothing(f"the probe ended with {code}: {output.strip()[-200:]}")
    return output


def _effective(text):
    return int(_found(r"^uid=\d+ euid=(\d+)", text).group(1))


def _number(name, text):
    return int(_found(rf"^{name}:\s*(\d+)", text).group(1))


def _found(pattern, text):
    found = re.search(pattern, text, re.MULTILINE)
    if not found:
        raise ProvesNothing(f"the probe said nothing that matches {pattern!r}")
    return found


PROBES = {
    **CONFINEMENT,
    **DEFAULTS,
    **KERNEL,
    "docker_daemon/default_ulimits": default_ulimits,
    "docker_daemon/icc": icc,
    "docker_daemon/log_rotation": log_rotation,
    "docker_daemon/no_new_privileges": no_new_privileges,
    "docker_daemon/seccomp_default": seccomp_default,
    "docker_daemon/userns_remap": userns_remap,
    "docker_engine/engine_present": engine_present,
}
PROBES.update({control: functools.partial(audited, control) for control in AUDITED})
