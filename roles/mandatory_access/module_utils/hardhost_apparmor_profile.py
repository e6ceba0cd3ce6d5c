"""The text of the AppArmor profile hardhost-container.

What is refused by an allow list is logged by the kernel; a `deny` rule is silent unless it says `audit`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

NAME = "hardhost-container"
TEXT = """\
# Written by hardhost; docs/mandatory-access.md says what it forbids and why. Changes here are replaced:
# copy it to a profile of another name to extend it.

abi <abi/3.0>,

include <tunables/global>

profile hardhost-container flags=(attach_disconnected,mediate_deleted) {
  include <abstractions/base>

  # Ordinary sockets. No raw or packet sockets, no AF_ALG, and none of the families that nobody misses.
  network inet stream,
  network inet dgram,
  network inet6 stream,
  network inet6 dgram,
  network unix,
  network netlink,
  unix,

  # What Docker grants by default, without CAP_NET_RAW and CAP_MKNOD. More is refused even where it was granted.
  capability audit_write,
  capability chown,
  capability dac_override,
  capability fowner,
  capability fsetid,
  capability kill,
  capability net_bind_service,
  capability setfcap,
  capability setgid,
  capability setpcap,
  capability setuid,
  capability sys_chroot,

  # Signals within the container, and from those who run it.
  signal (send, receive) peer=hardhost-container,
  signal (receive) peer={unconfined,runc,crun,dockerd,docker,containerd},
  signal (receive) peer={/usr,}/{s,}bin/{runc,crun,dockerd,containerd}*,

  # Processes of the container may see each other, as ps does; none may trace another.
  ptrace (read, readby) peer=hardhost-container,

  # No rule allows mount, umount, pivot_root or a change of profile.

  file,

  # Interfaces of the kernel.
  audit deny @{PROC}/sys/** wklx,
  audit deny @{PROC}/sysrq-trigger rwklx,
  audit deny @{PROC}/{kcore,kmsg,kallsyms,kpage*,keys,key-users,timer_list,sched_debug} rwklx,
  audit deny @{PROC}/{acpi,scsi,bus,fs,irq,asound}/** wklx,
  audit deny @{PROC}/{mtrr,swaps,config.gz} wklx,
  audit deny /sys/** wklx,
  audit deny /sys/{firmware,kernel/security,kernel/debug,kernel/tracing,fs/bpf,fs/pstore,module}/** rwklx,
  audit deny /dev/{mem,kmem,port,kmsg,nvram,cpu/**,mapper/**} rwklx,
  audit deny /dev/{sd,hd,vd,xvd,nvme,dm-,md,loop,mmcblk,sg,nbd,rbd}[a-z0-9]* rwklx,

  # The engine, and those who stand above the container.
  audit deny /{**/,}{var/,}run/{docker,podman/podman,containerd/containerd,crio/crio}.sock rwklx,
  audit deny /{**/,}{var/,}run/{containerd,docker}/** rwklx,

  # Secrets of the host, where its file system is mounted into the container below any directory.
  audit deny /**/etc/{shadow,gshadow}{,-} rwklx,
  audit deny /**/etc/ssh/ssh_host_*_key rwklx,
  audit deny /**/etc/{docker,kubernetes,containerd}/** rwklx,
  audit deny /**/root/.{ssh,docker,kube,gnupg,aws}/** rwklx,
  audit deny /**/home/*/.{ssh,docker,kube,gnupg,aws}/** rwklx,
  audit deny /**/var/lib/{docker,containerd,kubelet,hardhost}/** rwklx,
}
"""
