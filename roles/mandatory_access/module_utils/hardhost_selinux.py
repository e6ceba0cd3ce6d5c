"""SELinux on the way to enforcing: what is found on the host, which step comes next, and why none does.

The steps, each in force before the next: packages; a boot with the policy loaded and permissive, which labels every file;
a boot in which nothing that the host needs would have been denied; enforcing for the running kernel alone, so that a reboot
brings back who is locked out; and, once somebody has logged in under it, enforcing at boot.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import fnmatch

from ansible.module_utils import hardhost_managed as managed
from ansible.module_utils import hardhost_selinux_host as host
from ansible.module_utils import hardhost_selinux_kernel as kernel

CONTROL = "mandatory_access/selinux_enforcing"
BOOT = host.BOOT
DROP_IN = "/etc/default/grub.d/hardhost-selinux.cfg"
DROP_IN_TEXT = (
    "# Written by hardhost: SELinux in place of the default security module.\n"
    'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT %s"\n' % BOOT
)
RELABEL_TEXT = (
    "-F\n"  # options of fixfiles: the types of files that carry one already are set right too
)
# What must run for the host to boot, to be reached and to serve containers; what others are denied is theirs.
NEEDED = (
    *("init_t", "kernel_t", "udev_t", "kmod_t", "mount_t", "fsadm_t", "lvm_t", "syslogd_t"),
    *("auditd_t", "system_dbusd_t", "systemd_generator_t", "systemd_fstab_generator_t"),
    *("systemd_cryptsetup_generator_t", "systemd_networkd_t", "systemd_resolved_t", "dhcpc_t"),
    *("networkmanager_t", "NetworkManager_t", "ifconfig_t", "iptables_t"),
    *("sshd_t", "sshd_session_t", "chkpwd_t", "local_login_t", "getty_t", "systemd_logind_t"),
    *(
        "dockerd_t",
        "container_runtime_t",
        "container_engine_t",
        "container_t",
        "hardhost_container_t",
    ),
)
# Denied on every host of Debian 13 (policy 2.20250213), under which it boots, logs and serves all the same; `*` for any words.
HARMLESS = (
    # A service's credentials are a file system of their own, without a label: there are none in it.
    "syslogd_t (systemd-journal): search dir of tmpfs_t",
    # modprobe looks at the directory in which dockerd stands when it calls it, and loads the module.
    "kmod_t (modprobe): search dir of var_lib_t",
    "kmod_t (modprobe): search dir of container_var_lib_t",
    "kmod_t (modprobe): getattr dir of container_var_lib_t",
    # systemd-networkd (257) has its directory of credentials too, a program of the kernel's that watches who sets sysctls,
    # and looks whether /run/mount is there: without any of it the lease comes and is renewed.
    "systemd_networkd_t (systemd-network): * dir of tmpfs_t",
    "systemd_networkd_t (systemd-network): bpf capability2 of systemd_networkd_t",
    "systemd_networkd_t (systemd-network): * bpf of systemd_networkd_t",
    "systemd_networkd_t (systemd-network): read dir of cgroup_t",
    "systemd_networkd_t (systemd-network): search dir of mount_runtime_t",
)
INIT = ("init_t",)
ENGINE = ("dockerd_t", "container_runtime_t", "container_engine_t")


def stage(found):
    """The name of the step that the host has to take now: see the module's text; "" where there is none left."""
    if not found["enabled"]:
        todo = found["missing"] or unprepared(found) or menu_lacks(found)
        return "prepare" if todo else "reboot"
    if found["relabel"]:
        return "relabel"
    if not found["enforcing"]:
        return "enforce"
    lasts = found["config"].get("SELINUX") == "enforcing" and not menu_lacks(found)
    return "" if lasts else "keep"


def prepared(found, control=CONTROL):
    """The files with which the next boot loads the policy, permissive, and labels everything."""
    if not found["config"]:
        return []  # the packages bring it
    wanted = [
        host.configured("permissive", control),
        managed.wanted(host.RELABEL, RELABEL_TEXT, control),
    ]
    if found["grub"]:
        wanted.append(managed.wanted(DROP_IN, DROP_IN_TEXT, control))
    return wanted


def lasting(found):
    """The files with which the next boot enforces, once this one does."""
    wanted = [host.configured("enforcing", CONTROL)]
    if menu_lacks(found):
        wanted.append(managed.wanted(DROP_IN, DROP_IN_TEXT, CONTROL))
    return wanted


def menu_lacks(found):
    """Whether GRUB's menu would boot without SELinux: this boot has it from these arguments, or is to be the last without."""
    given = not found["enabled"] or all(one in found["arguments"] for one in BOOT.split())
    return bool(found["grub"] and given and not found["menu"])


def unprepared(found):
    return managed.different(prepared(found))


def unbootable(found):
    """`(what was found, what to do)` where the boot that labels the files would enforce, and not come up; None where not."""
    if not found["commanded"] or (found["enabled"] and not found["relabel"]):
        return None
    given = " ".join(found["commanded"])
    place = (
        "GRUB's configuration, run update-grub"
        if found["grub"]
        else "the boot loader's configuration"
    )
    booted = ", reboot" if any(one in found["arguments"] for one in found["commanded"]) else ""
    return (
        "files have no labels yet, and %s would have the kernel enforce over that, whatever the configuration says; "
        "the host would not boot" % given,
        "take %s out of %s%s, and run again" % (given, place, booted),
    )


def unlabelled(found):
    """`(what was found, what to do)` where systemd, dockerd or files have other types than the policy goes by; None otherwise."""
    wrong = [
        "%s runs as %s" % (name, kind or "nothing")
        for name, kind, right in (
            ("systemd", found["domains"]["init"], INIT),
            ("dockerd", found["domains"]["dockerd"], ENGINE),
        )
        if kind not in right and not (name == "dockerd" and kind is None)
    ]
    wrong += [
        "%s is labelled %s" % (path, given or "not at all")
        for path, given, right in found["labels"]
        if given != right
    ]
    if wrong:
        return "the labels are not right: %s" % "; ".join(wrong), "touch /.autorelabel and reboot"
    return None


def blocked(found, accepted):
    """`(what was found, what to do)` where enforcing now could take away what the host needs; None where it could not."""
    wrong = unlabelled(found)
    if wrong:
        return wrong
    if found["denials"] is None:
        off = " without the argument audit=0" if host.unaudited(found["arguments"]) else ""
        return (
            "nothing records all that enforcing would have denied since this boot",
            "install and start auditd, and reboot" + off,
        )
    left = [
        one
        for one in found["denials"]
        if one["domain"] in NEEDED and one["domain"] not in accepted and not harmless(one["text"])
    ]
    if left:
        return (
            "since this boot enforcing would have denied what the host needs: %s" % named(left),
            "mend the labels or the policy and reboot, or name the domains in "
            "mandatory_access_accepted_denials",
        )
    return None


def harmless(text):
    """Whether a denial is one of those that take nothing away."""
    return any(fnmatch.fnmatchcase(text, one) for one in HARMLESS)


def unproved(found):
    """`(what was found, what to do)` where what enforces now is not to be made to last; None where it may be."""
    if found["config"].get("SELINUX") == "enforcing":
        return None  # it lasts already: only GRUB's menu is missing
    wrong = unlabelled(found)
    if wrong:
        return wrong
    if not found["ours"]:
        return (
            "enforcing now, and not by a run of ours: nobody has looked what that takes away",
            "setenforce 0, and run again: that run looks, and enforces where nothing speaks against it",
        )
    if found["against"]:
        return (
            "enforcing now, but GRUB's menu boots with %s" % " ".join(found["against"]),
            "take it out of GRUB's configuration, run update-grub, and run again",
        )
    return None


def named(denials):
    """Denials for a message, the first ten."""
    texts = sorted({one["text"] for one in denials})
    return "; ".join(texts[:10]) + (" and %d more" % (len(texts) - 10) if len(texts) > 10 else "")


def changes(found):
    """What the next step changes: `[{what, before, after}]`."""
    step = stage(found)
    if step == "prepare":
        shown = [
            {"what": "package %s" % name, "before": None, "after": "installed"}
            for name in found["missing"]
        ]
        return shown + managed.changes(prepared(found)).get(CONTROL, []) + _menu(found)
    if step == "enforce":
        return [{"what": "SELinux now", "before": "permissive", "after": "enforcing"}]
    if step == "keep":
        before = found["config"].get("SELINUX")
        kept = {"what": "SELinux at boot", "before": before, "after": "enforcing"}
        return ([kept] if before != "enforcing" else []) + _menu(found)
    return []


def _menu(found):
    shown = {"what": "GRUB's menu", "before": "without SELinux", "after": BOOT}
    return [shown] if menu_lacks(found) else []


def read(facts):
    """What `stage` and the rest here go by."""
    process = facts["process"]
    return host.read(
        facts["selinux"],
        facts["os"],
        facts["state"]["changes"],
        kernel.kind(kernel.process(process["pid"])) if process else None,
    )
