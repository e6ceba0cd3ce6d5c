"""What systemd starts as dockerd, what runs as dockerd, and which daemon.json keys its flags stand for.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import glob
import os
import re
import shlex
import time

from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils.hardhost_keys import KEYS

# Flags whose key has another name. Source: flag and JSON names in moby daemon/config/config.go and
# daemon/command/config.go.
FLAG_KEYS = {
    "D": "debug",
    "H": "hosts",
    "l": "log-level",
    "G": "group",
    "p": "pidfile",
    "s": "storage-driver",
    "b": "bridge",
    "host": "hosts",
    "label": "labels",
    "log-opt": "log-opts",
    "storage-opt": "storage-opts",
    "exec-opt": "exec-opts",
    "default-ulimit": "default-ulimits",
    "insecure-registry": "insecure-registries",
    "registry-mirror": "registry-mirrors",
    "authorization-plugin": "authorization-plugins",
    "dns-opt": "dns-opts",
    "add-runtime": "runtimes",
    "feature": "features",
    "default-address-pool": "default-address-pools",
    "default-network-opt": "default-network-opts",
    "cdi-spec-dir": "cdi-spec-dirs",
    "node-generic-resource": "node-generic-resources",
}
JOB_UNIT = "hardhost-restart.service"
BOOT_UNIT = "hardhost-restart-at-boot.service"  # goes on with a job during which the host went down
NOT_KEYS = ("config-file", "validate", "version", "help")
PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "MainPID",
    "FragmentPath",
    "DropInPaths",
    "ExecStart",
    "Environment",
    "EnvironmentFiles",
    "NeedDaemonReload",
    "UnitFileState",
    "TimeoutStartUSec",
    "LimitNOFILE",
)
TRUE, FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")


def show(unit):
    """The properties of a unit, as `systemctl show` words them; empty where systemd does not run."""
    return properties(programs.answer(["systemctl", "show", unit, "-p", ",".join(PROPERTIES)], 30))


def properties(text):
    """The properties in the words of `systemctl show`, which gives each environment file a line of its own."""
    found = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE):
        found[name] = found[name] + " " + value if name in found else value
    return found


def job_runs():
    """Whether the host-side restart job is at work, this run's or that of a controller that has gone."""
    at_work = ("active", "activating", "deactivating")
    return any(show(unit).get("ActiveState") in at_work for unit in (JOB_UNIT, BOOT_UNIT))


def environment(unit):
    """The variables a unit is started with: `Environment=` first, then its files, as systemd.exec(5) orders them."""
    variables = dict(
        word.split("=", 1) for word in split(unit.get("Environment", "")) if "=" in word
    )
    for pattern in re.findall(r"(/\S+) \(ignore_errors=\w+\)", unit.get("EnvironmentFiles", "")):
        for path in sorted(glob.glob(pattern)):
            text = (files.read(path) or b"").decode("utf-8", "replace").replace("\\\n", "")
            variables.update(
                _assigned(line.strip())
                for line in text.splitlines()
                if "=" in line and not line.lstrip().startswith(("#", ";"))
            )
    return variables


def _assigned(line):
    """Name and value of a line of an environment file. Quotes are quotes only where they begin the value."""
    name, _unused, value = line.partition("=")
    value = value.strip()
    return name.strip(), "".join(split(value)) if value.startswith(("'", '"')) else value


def split(text):
    """Words as a shell would split them; where a quote is not closed, at spaces."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def command(unit):
    """The argument list of the unit's ExecStart with its variables filled in; empty where there is none."""
    found = re.search(r"argv\[\]=(.*?) ; ignore_errors=", unit.get("ExecStart", ""))
    if not found:
        return []
    return filled(found.group(1).split(), unit)


def filled(arguments, unit):
    """Words of a command line with the unit's variables filled in."""
    variables, words = environment(unit), []
    for word in arguments:
        alone = re.fullmatch(r"\$(\w+)", word)
        if alone:
            words += split(variables.get(alone.group(1), ""))
        else:
            words.append(
                re.sub(r"\$\{(\w+)\}", lambda match: variables.get(match.group(1), ""), word)
            )
    return words


def flags(arguments):
    """`{daemon.json key: value}` of a dockerd argument list, typed as the file would hold them."""
    found, words = {}, list(arguments[1:])
    while words:
        name, value = _flag(words)
        key = FLAG_KEYS.get(name, name)
        if name and key not in NOT_KEYS:
            _add(found, key, value)
    return found


def config_file(arguments):
    """The path of the configuration file that these arguments name."""
    words = list(arguments[1:])
    path = "/etc/docker/daemon.json"
    while words:
        name, value = _flag(words)
        if name == "config-file":
            path = value
    return path


def _flag(words):
    word = words.pop(0)
    if not word.startswith("-"):
        return "", ""
    name, separator, value = word.lstrip("-").partition("=")
    if separator:
        return name, value
    if not word.startswith("--") and len(name) > 1 and name[0] in "HlGpsb":
        return name[0], name[1:]
    boolean = KEYS.get(FLAG_KEYS.get(name, name), {}).get("type") == "bool" or name in (
        "validate",
        "version",
        "help",
    )
    if boolean or not words:
        return name, "true"
    return name, words.pop(0)


def _add(found, key, text):
    kind = KEYS.get(key, {}).get("type")
    if kind == "list":
        found.setdefault(key, []).append(text)
    elif kind == "map":
        name, _unused, value = text.partition("=")
        found.setdefault(key, {})[name] = ulimit(name, value) if key == "default-ulimits" else value
    else:
        found[key] = typed(kind, text)


def typed(kind, text):
    """A flag's text as the type its key has in the file."""
    if kind == "bool" and text in TRUE + FALSE:
        return text in TRUE
    if kind == "int" and re.fullmatch(r"-?\d+", text):
        return int(text)
    return text


def ulimit(name, text):
    """`soft[:hard]` as the file words it."""
    soft, separator, hard = text.partition(":")
    hard = hard if separator else soft
    if not (re.fullmatch(r"-?\d+", soft) and re.fullmatch(r"-?\d+", hard)):
        return text
    return {"Name": name, "Soft": int(soft), "Hard": int(hard)}


def started(pid):
    """When a process was started, in clock ticks since boot (proc(5), field 22); None where it has ended."""
    try:
        stat = (files.read("/proc/%d/stat" % pid) or b"").decode("utf-8", "replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def process(pid):
    """`{pid, started, age, arguments, executable, nofile}` of a running process, None where it is gone.

    `started` is in clock ticks since boot (proc(5), field 22), `age` in seconds, `nofile` the hard limit of open files
    (None: unlimited).
    """
    folder = "/proc/%d" % pid
    since = started(pid)
    try:
        arguments = (
            (files.read(folder + "/cmdline") or b"").decode("utf-8", "replace").split("\0")[:-1]
        )
        limits = (files.read(folder + "/limits") or b"").decode("ascii", "replace")
        executable = os.readlink(folder + "/exe")
    except OSError:
        return None
    if since is None or not arguments:
        return None
    hard = re.search(r"^Max open files\s+\S+\s+(\S+)", limits, re.MULTILINE)
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - since / os.sysconf("SC_CLK_TCK")
    return {
        "pid": pid,
        "started": since,
        "age": age,
        "arguments": arguments,
        "executable": executable,
        "nofile": int(hard.group(1)) if hard and hard.group(1).isdigit() else None,
    }


def boot():
    """The id of this boot; in a container that of the container's start where the kernel is shared."""
    data = files.read("/proc/sys/kernel/random/boot_id")
    return data.decode("ascii").strip() if data else ""
