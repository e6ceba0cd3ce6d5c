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

# What the kernel and the host call their own, from / on; these names count below any directory, where the host's / may be
# mounted. An application may have directories named proc, sys and dev too. Few rules of many names: the parser's time
# doubles with each rule that ends in **.
@{kernel_number}={[0-9],[0-9][0-9],[0-9][0-9][0-9]}
@{kernel_part}={,@{kernel_number},p@{kernel_number}}
@{written_by_nobody_below}=proc/{acpi,asound,bus,fs,irq,scsi,sys} sys/kernel
@{written_by_nobody_below}+=sys/fs/{binfmt_misc,btrfs,cgroup,ext4,f2fs,fuse,nfs,resctrl,selinux,smackfs,xfs}
@{written_by_nobody_below}+=sys/devices/{LNXSYSTM:[0-9]*,css@{kernel_number},faux,pci[0-9]*,platform,pnp@{kernel_number}}
@{written_by_nobody_below}+=sys/devices/{system,vbd-[0-9]*,vif-[0-9]*,virtual}
@{written_by_nobody_below}+=sys/bus/{acpi,ccw,cpu,hid,i2c,memory,mmc,node,pci,platform,pnp,rbd,scsi,spi,usb,virtio,vmbus,xen}
@{written_by_nobody_below}+=sys/class/{firmware,gpio,iommu,net,pwm,zram-control}
@{written_by_nobody}=proc/{config.gz,mtrr,swaps}
@{written_by_nobody}+=sys/power/{autosleep,disk,image_size,mem_sleep,pm_*,resume*,state,wake_*}
@{host_tree}=sys/kernel/{debug,security,tracing} sys/fs/{bpf,pstore} sys/module/*/{notes,parameters,sections}
@{host_tree}+=sys/firmware/{acpi,devicetree,dmi,efi,memmap,qemu_fw_cfg} run/{containerd,docker}
@{host_tree}+=etc/{containerd,docker,kubernetes} var/lib/{containerd,docker,hardhost,kubelet}
@{host_tree}+={root,home/*}/.{aws,docker,gnupg,kube,ssh}
@{host_file}=proc/{kallsyms,kcore,key-users,keys,kmsg,kpage*,sched_debug,sysrq-trigger,timer_list}
@{host_file}+=dev/{console,kmem,kmsg,mapper/control,mem,nvram,pts/@{kernel_number},tty@{kernel_number},ttyS@{kernel_number}}
@{host_file}+=dev/{hd,sd,vd,xvd}[a-z]{,[a-z]}@{kernel_part} dev/dasd[a-z]@{kernel_part} dev/{mmcblk,pmem}@{kernel_number}@{kernel_part}
@{host_file}+=dev/{dm-,loop,md,nbd,rbd,sg,sr,zd,zram}@{kernel_number}{,p@{kernel_number}}
@{host_file}+=dev/nvme@{kernel_number}{,n@{kernel_number}@{kernel_part}} dev/ng@{kernel_number}n@{kernel_number}
@{host_file}+=etc/{shadow,gshadow}{,-} etc/ssh/ssh_host_*_key run/systemd/private run/dbus/system_bus_socket

profile hardhost-container flags=(attach_disconnected,mediate_deleted) {
  # abstractions/base is left out: of files it allows nothing that `file` does not, and its many paths make the parser
  # take many times as long. What it says besides stands below.

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
  signal (send, receive) set=("exists"),
  signal (receive) peer={unconfined,runc,crun,dockerd,docker,containerd},
  signal (receive) peer={/usr,}/{s,}bin/{runc,crun,dockerd,containerd}*,

  # Processes of the container may see each other, as ps does; none may trace another.
  ptrace (read) peer=hardhost-container,
  ptrace (readby, tracedby),

  # No rule allows mount, umount, pivot_root or a change of profile.

  file,

  # Interfaces of the kernel.
  audit deny /{**/,}@{written_by_nobody_below}/** wklx,
  audit deny /{**/,}@{written_by_nobody} wklx,
  audit deny @{PROC}/{sysrq-trigger,kcore,kmsg,kallsyms,kpage*,keys,key-users,timer_list,sched_debug} rwklx,
  audit deny /sys/** wklx,
  audit deny /sys/{firmware,kernel/security,kernel/debug,kernel/tracing,fs/bpf,fs/pstore,module}/** rwklx,
  audit deny /dev/{mem,kmem,port,kmsg,nvram,cpu/*/msr,mapper/*} rwklx,
  audit deny /dev/{sd,hd,vd,xvd,nvme,ng,dm-,md,loop,mmcblk,pmem,dasd,sg,sr,nbd,rbd,zd,zram}[a-z0-9]* rwklx,

  # The engine, and those who stand above the container.
  audit deny /{**/,}{var/,}run/{docker,podman/podman,containerd/containerd,crio/crio}.sock rwklx,
  audit deny /{var/,}run/{containerd,docker}/** rwklx,

  # The host, where its file system is mounted below any directory, with what is mounted in it.
  audit deny /**/@{host_tree}/** rwklx,
  audit deny /**/@{host_file} rwklx,
}
"""
