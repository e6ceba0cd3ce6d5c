"""Parameters and modules on a kernel made of files: applied, again without change, taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import hardhost_facts
from ansible.module_utils import hardhost_kernel_modules as modules
from ansible.module_utils import hardhost_state as states
from ansible.module_utils import hardhost_surface_kernel as surface
from ansible.module_utils import hardhost_sysctl as sysctl
from ansible.module_utils import hardhost_undo as undo

from tests.unit.roles.hosts import Json, control, decided, facts, module

kernel_parameters = module("kernel", "kernel_parameters")
undo_module = module("undo", "undo")

RUN = {"run": "20261121T180000Z-00000000", "holder": "ops@bastion"}
SYSRQ = {"id": "kernel/magic_sysrq", "settings": {"kernel_sysctls": {"kernel.sysrq": 0}}}
KEXEC = {"id": "kernel/no_kexec", "settings": {"kernel_sysctls": {"kernel.kexec_load_disabled": 1}}}
UDF = {"id": "kernel/unused_filesystems", "settings": {"kernel_modules": {"udf": "blocked"}}}
NEEDED = {
    "id": "kernel/docker_modules_loaded",
    "settings": {"kernel_modules": {"overlay": "loaded"}},
}


class Kernel:
    """A kernel whose parameters, modules and files lie in a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def get(self, name: str) -> str:
        return (self.root / name).read_text()

    def there(self, name: str) -> bool:
        return (self.root / name).exists()


@pytest.fixture
def kernel(tmp_path: Path, state_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    found = Kernel(tmp_path / "root")
    found.put("sys/kernel/sysrq", "438\n")
    found.put("sys/kernel/kexec_load_disabled", "0\n")
    found.put("modules", "udf 1 0 - Live 0x0\n")
    found.put("etc/sysctl.d/99-other.conf", "kernel.sysrq = 1\n")
    found.put("etc/modprobe.d/x.conf", "")
    monkeypatch.setattr(sysctl, "LIVE", str(found.root / "sys"))
    monkeypatch.setattr(sysctl, "DIRECTORIES", (str(found.root / "etc/sysctl.d"),))
    monkeypatch.setattr(sysctl, "LAST", str(found.root / "etc/sysctl.conf"))
    monkeypatch.setattr(modules, "LOADED", str(found.root / "modules"))
    monkeypatch.setattr(modules, "FOLDER", str(found.root / "lib"))
    for name, path in (
        ("SYSCTLS", "etc/sysctl.d/zz-hardhost.conf"),
        ("BLOCKED", "etc/modprobe.d/zz-hardhost.conf"),
        ("PERSISTED", "etc/modules-load.d/zz-hardhost.conf"),
    ):
        monkeypatch.setattr(surface, name, str(found.root / path))
    assert state_directory
    return found


def apply(*controls: Json, check: bool = False) -> Json:
    result: Json = kernel_parameters.apply({"controls": list(controls), **RUN}, check)
    return result


def take_back(monkeypatch: pytest.MonkeyPatch, *ids: str) -> Json:
    """What the module of undo does with these controls' changes."""
    host = facts(state=states.load())
    monkeypatch.setattr(hardhost_facts, "collect", lambda: host)
    parameters = {"scope": "controls", "controls": list(ids), "decisions": {}, "inputs": {}}
    usual = {"scope_run": "", "conflicts": "stop", "ended": "", **RUN}
    result: Json = undo_module.apply({**parameters, **usual}, False)
    return result


def shown(one: Json) -> list[str]:
    return [change["what"] for change in surface.changes(one, {"state": states.load()}, {})]


DROP_IN = "etc/sysctl.d/zz-hardhost.conf"


def test_live_and_at_boot(kernel: Kernel) -> None:
    result = apply(SYSRQ)
    assert result["changed"]
    assert kernel.get("sys/kernel/sysrq") == "0"
    assert "kernel.sysrq = 0\n" in kernel.get(DROP_IN)
    assert sysctl.at_boot("kernel.sysrq")["value"] == "0"  # type: ignore[index]
    assert shown(SYSRQ) == []
    assert not apply(SYSRQ)["changed"]


def test_check_mode_changes_nothing_and_says_what_would_be(kernel: Kernel) -> None:
    result = apply(SYSRQ, UDF, check=True)
    assert result["changed"]
    assert "kernel.sysrq = 438\n" in result["diff"][0]["before"]
    assert "kernel.sysrq = 0\n" in result["diff"][0]["after"]
    assert kernel.get("sys/kernel/sysrq") == "438\n"
    assert not kernel.there(DROP_IN)
    assert states.load() == states.empty()
    assert len(shown(SYSRQ)) == 2


def test_one_control_is_taken_back_and_its_neighbour_stays(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(SYSRQ, KEXEC)
    take_back(monkeypatch, SYSRQ["id"])
    assert kernel.get("sys/kernel/sysrq") == "438"
    assert "sysrq" not in kernel.get(DROP_IN)
    assert "kexec_load_disabled = 1" in kernel.get(DROP_IN)


def test_the_file_goes_with_its_last_line(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(SYSRQ, UDF)
    take_back(monkeypatch, SYSRQ["id"], UDF["id"])
    assert not kernel.there(DROP_IN)
    assert not kernel.there("etc/modprobe.d/zz-hardhost.conf")
    assert states.load()["changes"] == []


def test_what_only_a_boot_takes_back_is_named_and_stays(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(KEXEC)
    result = take_back(monkeypatch, KEXEC["id"])
    assert not kernel.there(DROP_IN), "the next boot must not set it again"
    assert [text for text in result["left"] if "kexec" in text and "next boot" in text]
    kernel.put("sys/kernel/kexec_load_disabled", "0\n")
    assert take_back(monkeypatch, KEXEC["id"])["left"] == []
    assert states.load()["changes"] == []


def killed(monkeypatch: pytest.MonkeyPatch, control: Json) -> None:
    """A run that records everything and is killed before it writes."""

    def die(*_unused: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kernel_parameters.own_lines, "put", die)
        with pytest.raises(KeyboardInterrupt):
            apply(control)


def test_all_returns_where_an_update_was_killed(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(SYSRQ)
    killed(monkeypatch, {**SYSRQ, "settings": {"kernel_sysctls": {"kernel.sysrq": 16}}})
    take_back(monkeypatch, SYSRQ["id"])
    assert kernel.get("sys/kernel/sysrq") == "438"
    assert not kernel.there(DROP_IN), "a line of ours is left, and recorded nowhere"
    assert states.load()["changes"] == []


def test_a_run_finds_the_lines_of_an_update_that_was_killed(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {**UDF, "settings": {"kernel_modules": {"hfs": "blocked"}}}
    apply(UDF)
    killed(monkeypatch, other)
    apply(other)
    blocked = kernel.get("etc/modprobe.d/zz-hardhost.conf")
    assert "install hfs /bin/false\n" in blocked
    assert "udf" not in blocked
    assert not [one for one in states.load()["changes"] if "udf" in one["after"]["value"]]


def test_somebody_elses_value_is_a_conflict(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(SYSRQ)
    kernel.put("sys/kernel/sysrq", "16\n")
    with pytest.raises(undo_module.Refused, match="is now 16; it was 438, and we had set 0"):
        take_back(monkeypatch, SYSRQ["id"])


def test_a_stricter_value_of_the_host_stays(kernel: Kernel) -> None:
    kernel.put("sys/kernel/yama/ptrace_scope", "2\n")
    kernel.put("etc/sysctl.d/50-own.conf", "kernel.yama.ptrace_scope = 2\n")
    one = {"id": "kernel/p", "settings": {"kernel_sysctls": {"kernel.yama.ptrace_scope": 1}}}
    apply(one)
    assert kernel.get("sys/kernel/yama/ptrace_scope") == "2\n"
    assert "kernel.yama.ptrace_scope = 2\n" in kernel.get(DROP_IN)


def test_a_line_that_somebody_changed_is_put_right(kernel: Kernel) -> None:
    apply(SYSRQ, KEXEC)
    kernel.put(DROP_IN, kernel.get(DROP_IN).replace("sysrq = 0", "sysrq = 1"))
    assert shown(SYSRQ) == [
        f"{surface.SYSCTLS}: kernel.sysrq = 1",
        f"{surface.SYSCTLS}: kernel.sysrq = 0",
    ]
    apply(SYSRQ, KEXEC)
    assert "kernel.sysrq = 0\n" in kernel.get(DROP_IN)
    assert "sysrq = 1" not in kernel.get(DROP_IN)


REDIRECTS = {
    "id": "kernel/no_redirects",
    "settings": {"kernel_sysctls": {"net.ipv4.conf.*.send_redirects": 0}},
}


def test_a_pattern_is_for_every_interface_that_is_there(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("all", "eth0", "eth0.5"):
        kernel.put(f"sys/net/ipv4/conf/{name}/send_redirects", "1\n")
    apply(REDIRECTS)
    assert kernel.get("sys/net/ipv4/conf/eth0.5/send_redirects") == "0"
    assert "net.ipv4.conf.*.send_redirects = 0\n" in kernel.get(DROP_IN)
    assert not apply(REDIRECTS)["changed"]
    assert [one["key"] for one in observed(REDIRECTS)] == ["net.ipv4.conf.*.send_redirects"]

    kernel.put("sys/net/ipv4/conf/eth0.5/send_redirects", "1\n")
    kernel.put("etc/sysctl.d/50-net.conf", "net/ipv4/conf/eth0/send_redirects = 1\n")
    wrong = {one["key"]: (one["enough"], one["boot_enough"]) for one in observed(REDIRECTS)}
    assert wrong == {
        "net.ipv4.conf.eth0.send_redirects": (True, False),
        "net.ipv4.conf.eth0/5.send_redirects": (False, True),
    }
    take_back(monkeypatch, REDIRECTS["id"])
    assert kernel.get("sys/net/ipv4/conf/eth0/send_redirects") == "1"
    assert not kernel.there(DROP_IN)


def observed(one: Json) -> list[Json]:
    found = surface.observe({}, {}, {one["id"]: one["settings"]})
    shown: list[Json] = found[one["id"]]["sysctls"]
    return shown


def test_parameters_this_kernel_lacks_are_left_out(kernel: Kernel) -> None:
    both = {"kernel.sysrq": 0, "kernel.io_uring_disabled": 1}
    apply({"id": "kernel/x", "settings": {"kernel_sysctls": both}})
    assert "io_uring" not in kernel.get(DROP_IN)


def test_a_value_the_kernel_refuses_is_told(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_key: str, _value: str) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(sysctl, "write", refuse)
    with pytest.raises(kernel_parameters.Refused, match=r"kernel.sysrq = 0: Invalid argument"):
        apply(SYSRQ)
    recorded = {change["target"] for change in states.load()["changes"]}
    assert "kernel.sysrq" in recorded, "recorded before it is tried"


def test_modules_are_kept_out_and_kept_loaded(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(modules, "load", lambda name: asked.append(name) or "")
    apply(UDF, NEEDED)
    blocked = kernel.get("etc/modprobe.d/zz-hardhost.conf")
    assert "blacklist udf\ninstall udf /bin/false\n" in blocked
    assert "overlay\n" in kernel.get("etc/modules-load.d/zz-hardhost.conf")
    assert asked == ["overlay"]
    kernel.put("modules", "udf 1 0\noverlay 1 0\n")
    assert shown(NEEDED) == []
    take_back(monkeypatch, NEEDED["id"])
    assert not kernel.there("etc/modules-load.d/zz-hardhost.conf")


def test_a_module_that_is_built_in_is_not_asked_for(kernel: Kernel) -> None:
    import os  # noqa: PLC0415

    kernel.put(f"lib/{os.uname().release}/modules.builtin", "kernel/fs/overlayfs/overlay.ko\n")
    assert surface.plan(NEEDED, states.empty())["load"] == []


def test_what_modprobe_says(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "udf": "install /bin/false \n",
        "ext4": "insmod /lib/x.ko\ninsmod /lib/ext4.ko\n",
        "builtin": "builtin builtin\n",
    }
    # With -n it says nothing of a module that is loaded already: seen in a virtual machine.
    monkeypatch.setattr(
        modules, "_modprobe", lambda words: (0, said[words[1]] if words[0][2:6] == "show" else "")
    )
    assert modules.refused("udf")
    assert not modules.refused("ext4")
    assert not modules.refused("builtin")


@pytest.mark.parametrize(("kind", "decision"), [("docker", "not_applicable"), ("", "apply")])
def test_a_shared_kernel_is_left_alone(kernel: Kernel, kind: str, decision: str) -> None:
    one = control("kernel/magic_sysrq", preconditions=["kernel_of_its_own"])
    one["settings"] = SYSRQ["settings"]
    found = decided(one, facts(surfaces={"kernel": {"shared": kind}}, state=states.empty()))
    assert found["decision"] == decision
    assert bool(found["changes"]) == (decision == "apply")


def test_a_kernel_without_the_parameter_has_nothing_to_set(kernel: Kernel) -> None:
    one = control("kernel/x", preconditions=["parameters_known"])
    one["settings"] = {"kernel_sysctls": {"kernel.io_uring_disabled": 1}}
    assert decided(one)["decision"] == "not_applicable"
    kernel.put("sys/kernel/io_uring_disabled", "0\n")
    assert decided(one)["decision"] == "apply"


def test_records_of_one_key_are_joined_to_the_oldest(kernel: Kernel) -> None:
    apply(SYSRQ)
    kernel.put("sys/kernel/sysrq", "16\n")
    apply(SYSRQ)
    targets: list[dict[str, Any]] = undo.targets(states.load()["changes"])
    [one] = [one for one in targets if one["kind"] == "sysctl"]
    assert one["original"] == {"present": True, "value": "438"}
