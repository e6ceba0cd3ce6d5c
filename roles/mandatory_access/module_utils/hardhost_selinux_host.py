"""Read what tells how far a host is with SELinux: configuration, packages, boot, labels, denials. Changes nothing.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import glob
import os
import re

from ansible.module_utils import hardhost_containment as containment
from ansible.module_utils import hardhost_files as files
from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_programs as programs
from ansible.module_utils import hardhost_selinux_kernel as kernel
from ansible.module_utils import hardhost_selinux_store as store
from ansible.module_utils import hardhost_unit as units

RELABEL = "/.autorelabel"
BOOT = "security=selinux selinux=1"
AUDIT = "/var/log/audit/audit.log"
AUDITD = "/run/auditd.pid"
MENU = "/boot/grub/grub.cfg"
SOURCES = ("/etc/default/grub", "/etc/default/grub.d/*.cfg")  # what update-grub makes the menu of
# What shows that a package is there, by family.
PACKAGES = {
    "debian": {
        "selinux-policy-default": "/etc/selinux/default/policy",
        "policycoreutils": "/usr/sbin/semodule",
        "auditd": "/usr/sbin/auditd",
    },
    "redhat": {
        "selinux-policy-targeted": "/etc/selinux/targeted/policy",
        "container-selinux": "/usr/share/containers/selinux/contexts",
        "policycoreutils": "/usr/sbin/semodule",
    },
}
LABELS = (("/etc/shadow", "shadow_t"), ("/usr/sbin/sshd", "sshd_exec_t"))


def read(facts, system, changes, dockerd):
    """What the host shows; `facts` are those of the kernel, `changes` the recorded ones."""
    config, family = store.configuration(), system["family"]
    found = dict(facts, family=family, config=config, dockerd=dockerd)
    found.update(
        # What a container sets would be set for the machine below and everybody on it.
        kernel=not containment.kind() and (facts["enabled"] or kernel_has_it(os.uname().release)),
        apparmor=os.path.exists("/sys/kernel/security/apparmor"),
        grub=os.path.exists("/usr/sbin/update-grub") and os.path.exists(MENU),
        menu=in_menu(BOOT),
        against=against(menu_words()),
        arguments=arguments(),
        commanded=commanded(),
        missing=[
            name for name, path in PACKAGES.get(family, {}).items() if not os.path.exists(path)
        ],
        relabel=os.path.exists(RELABEL),
        domains={"init": kernel.kind(kernel.process(1)), "dockerd": dockerd},
        labels=[
            [path, kernel.kind(kernel.label(path)), right]
            for path, right in LABELS
            if facts["enabled"] and os.path.exists(path)
        ],
        denials=[],
        dropped=0,
        login=login(),
        **by_us(changes),
    )
    if facts["enabled"] and not facts["enforcing"]:
        early = kernel_log()
        # Told to audit from its first moment, the kernel has kept for auditd what its log did not take.
        kept = last(arguments(), "audit") in ("1", "on")
        found.update(denials=denials(early), dropped=0 if kept else dropped(early))
    return found


def by_us(changes):
    """When a run of ours made this boot enforce (0: none did), and whether one did, or has made it last before this boot."""
    modes = [one for one in changes if one["kind"] == "selinux_mode"]
    times = [one["time"] for one in modes if one["after"].get("boot") == units.boot()]
    written = [
        one["after"].get("sha256")
        for one in changes
        if one["kind"] == "file" and one["target"] == store.CONFIG
    ]
    lasted = bool(modes and written) and written[-1] == files.digest(
        configured("enforcing", "")["data"]
    )
    return {"enforced": max(times, default=0), "ours": bool(times) or lasted}


def menu_words():
    """The arguments in the first entry of GRUB's menu, the default."""
    text = (files.read(MENU) or b"").decode("utf-8", "replace")
    entries = re.findall(r"^\s*linux\s+(.*)$", text, re.MULTILINE)
    return entries[0].split() if entries else []


def last(words, name):
    """The value of the last argument of this name, by which the kernel goes; None where there is none."""
    values = [one.partition("=")[2] for one in words if one.startswith(name + "=")]
    return values[-1] if values else None


def in_menu(words):
    """Whether these arguments are those by which GRUB boots the first entry of its menu."""
    given, wanted = menu_words(), [one.partition("=") for one in words.split()]
    return all(last(given, name) == value for name, _sign, value in wanted)


def against(words):
    """Arguments that would take from a boot what the configuration says and ours ask for."""
    found = permissive(words)
    modules = last(words, "lsm")
    if modules is not None and "selinux" not in modules.split(","):
        found.append("lsm=" + modules)
    return found


def permissive(words):
    """`enforcing=0` among arguments: the first of several counts for libselinux, the last for newer ones, so any does here."""
    return ["enforcing=0"] if "enforcing=0" in words else []


def commanded():
    """What makes the next boot enforce, whatever the configuration says: of this boot, in GRUB's menu, or in its next one.

    libselinux goes by the first of several, newer ones go by the last: any of them counts.
    """
    texts = [_decoded(files.read(path)) for one in SOURCES for path in sorted(glob.glob(one))]
    lines = [line for text in texts for line in text.splitlines() if line.strip()[:1] != "#"]
    written = [word for line in lines for word in re.findall(r"\benforcing=\w*", line)]
    given = [one for one in arguments() + menu_words() if one.startswith("enforcing=")]
    return sorted({one for one in given + written if one != "enforcing=0"})


def arguments():
    """Those that the kernel was booted with."""
    return (files.read("/proc/cmdline") or b"").decode("utf-8", "replace").split()


def unaudited(words):
    """Whether the kernel was told to write no denials down."""
    return last(words, "audit") in ("0", "off")


def configured(mode, control):
    """The configuration as a wanted file, with another mode."""
    data, described = files.read(store.CONFIG) or b"", files.describe(store.CONFIG) or {}
    text = data.decode("utf-8", "surrogateescape")
    changed, lines = re.subn(r"^SELINUX=.*$", "SELINUX=" + mode, text, flags=re.MULTILINE)
    if not lines:
        changed = "%sSELINUX=%s\n" % (
            text if text.endswith("\n") or not text else text + "\n",
            mode,
        )
    return managed.wanted(
        store.CONFIG,
        changed.encode("utf-8", "surrogateescape"),
        control,
        described.get("mode", 0o644),
        described.get("uid", 0),
        described.get("gid", 0),
    )


def kernel_has_it(release):
    """Whether the kernel, which runs without it, was built with SELinux: only its own configuration tells."""
    data = files.read("/boot/config-%s" % release) or b""
    return b"\nCONFIG_SECURITY_SELINUX=y\n" in data


def booleans(names):
    """`{name: value in the loaded policy}` of those that it knows."""
    found = {}
    for name in names:
        text = (files.read("%s/booleans/%s" % (kernel.ROOT, name)) or b"").decode(
            "ascii", "replace"
        )
        if text[:1] in ("0", "1"):
            found[name] = text[0] == "1"
    return found


def denials(early):
    """What was let through since this boot and would be denied; None where it is not known to have been recorded.

    Of the time before auditd runs only the kernel's log knows, `early`, and that time decides whether the host boots. At most ten
    records in five seconds are written there: without auditd nobody has the others.
    """
    if unaudited(arguments()):
        return None
    since = _boot_time()
    texts = [_decoded(files.read(path)) for path in sorted(glob.glob(AUDIT + "*"))]
    recorded = any(
        int(when) >= since for text in texts for when in re.findall(r"audit\((\d+)\.", text)
    )
    audited = os.path.exists(AUDITD)
    if not early or (audited and not recorded) or (not audited and dropped(early)):
        return None
    return [one for text in texts for one in parsed(text, since)] + parsed(early)


def _decoded(data):
    return (data or b"").decode("utf-8", "replace")


def kernel_log():
    """The kernel's log of this boot; "" where nobody has it."""
    return programs.answer(["journalctl", "-k", "-b", "--no-pager", "-o", "cat"])


def dropped(text):
    """How many records the kernel has not written to its log, for it were too many at once."""
    found = re.findall(r"kauditd_printk_skb: (\d+) callbacks suppressed", text)
    return sum(int(one) for one in found)


# The kernel's own (AVC), and those of systemd and dbus (USER_AVC), which ask it before they do what they were asked to.
_DENIAL = re.compile(
    r"audit\((?P<time>\d+)\.\d+:\d+\):.*?avc: +denied +\{ (?P<what>[^}]*?) \}(?P<about>.*?)"
    r"scontext=\S+?:\S+?:(?P<domain>\w+)\S* tcontext=\S+?:\S+?:(?P<target>\w+)\S* tclass=(?P<kind>\w+)"
    r"(?: permissive=(?P<permissive>[01]))?"
)


def parsed(text, since=0, permissive="1"):
    """`[{domain, text}]` of the denials in audit records; only those that were let through, unless told otherwise.

    One that does not say whether it was let through counts as that.
    """
    found = []
    lines = [one for one in text.split("\n") if "avc:" in one]
    for match in filter(None, map(_DENIAL.search, lines)):
        if int(match.group("time")) >= since and match.group("permissive") in (permissive, None):
            who = re.search(r"\b(?:comm|cmdline)=\"?([^\" ]+)", match.group("about"))
            words = dict(match.groupdict(), who=" (%s)" % who.group(1) if who else "")
            sentence = "%(domain)s%(who)s: %(what)s %(kind)s of %(target)s" % words
            found.append({"domain": match.group("domain"), "text": sentence})
    return found


def _boot_time():
    found = re.search(rb"^btime (\d+)", files.read("/proc/stat") or b"", re.MULTILINE)
    return int(found.group(1)) if found else 0


def login():
    """When the ssh session began in which this runs, in seconds since the epoch; None where it is in none."""
    pid, began = os.getpid(), None
    while pid > 1:
        status = (files.read("/proc/%d/status" % pid) or b"").decode("utf-8", "replace")
        name = re.search(r"^Name:\s*(\S+)", status, re.MULTILINE)
        parent = re.search(r"^PPid:\s*(\d+)", status, re.MULTILINE)
        if not name or not parent:
            return began
        if name.group(1).startswith("sshd") and int(parent.group(1)) > 1:
            began = _boot_time() + (units.started(pid) or 0) / os.sysconf("SC_CLK_TCK")
        pid = int(parent.group(1))
    return began
