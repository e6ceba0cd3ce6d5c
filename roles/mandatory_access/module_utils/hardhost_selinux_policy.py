"""Our policy module for containers under SELinux: its text, and what the loaded policy must answer where it is in force.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

MODULE = "hardhost_container"
TYPE = "hardhost_container_t"
CONTEXT = "system_u:system_r:%s:s0" % TYPE

# Every kind of socket that a policy may know, but for TCP, UDP, Unix and asking the kernel about addresses and routes.
SOCKETS = (
    *("socket", "rawip_socket", "packet_socket", "icmp_socket", "sctp_socket", "dccp_socket"),
    *("alg_socket", "bluetooth_socket", "can_socket", "key_socket", "kcm_socket", "mctp_socket"),
    *("qipcrtr_socket", "rds_socket", "rxrpc_socket", "smc_socket", "tipc_socket", "tun_socket"),
    *("vsock_socket", "xdp_socket", "netlink_socket", "netlink_audit_socket"),
    *("netlink_connector_socket", "netlink_crypto_socket", "netlink_fib_lookup_socket"),
    *("netlink_generic_socket", "netlink_iscsi_socket", "netlink_kobject_uevent_socket"),
    *("netlink_netfilter_socket", "netlink_nflog_socket", "netlink_rdma_socket"),
    *("netlink_scsitransport_socket", "netlink_selinux_socket", "netlink_tcpdiag_socket"),
    "netlink_xfrm_socket",
)
# One that the policy does not know is left out of the rule, and the others stay in it.
REFUSED_SOCKET = "(optional hardhost_container_no_%s (classpermissionset hardhost_container_refused (%s (create))))\n"

# A module of this language has no version of its own: the number in its first line is for people, the text is compared.
TEXT = r"""; hardhost_container 2: a type for containers, `docker run --security-opt label=type:hardhost_container_t`.
;
; What container_t may, as far as ordinary programs need it, without raw and packet sockets, without configuring
; networks and namespaces, and without writing to the kernel's interfaces. docs/mandatory-access.md says what is left out.
; A container keeps its own categories: mcs_constrained_type holds two containers of this type apart.

(type hardhost_container_t)
(roletype object_r hardhost_container_t)
(roletype system_r hardhost_container_t)
(typeattributeset domain (hardhost_container_t))
(typeattributeset container_domain (hardhost_container_t))
(typeattributeset mcs_constrained_type (hardhost_container_t))

; Attributes that only one of the two families' policies has.
(optional hardhost_container_user (typeattributeset process_user_target (hardhost_container_t)))
(optional hardhost_container_engine (typeattributeset container_system_domain (hardhost_container_t)))

(allow hardhost_container_t self (process (getcap setrlimit)))
(allow hardhost_container_t container_file_t (filesystem (getattr)))

; TCP and UDP in both directions, and asking (not telling) the kernel about addresses and routes.
(allow hardhost_container_t self (capability (net_bind_service)))
(allow hardhost_container_t self (cap_userns (net_bind_service)))
(allow hardhost_container_t self
    (tcp_socket (create connect bind listen accept ioctl read write append getattr setattr getopt setopt shutdown)))
(allow hardhost_container_t self
    (udp_socket (create connect bind ioctl read write append getattr setattr getopt setopt shutdown)))
(allow hardhost_container_t self
    (netlink_route_socket (create bind read write getattr getopt setopt nlmsg_read)))
(allow hardhost_container_t netif_t (netif (ingress egress)))
(allow hardhost_container_t node_t (node (recvfrom sendto)))
(allow hardhost_container_t node_t (tcp_socket (node_bind)))
(allow hardhost_container_t node_t (udp_socket (node_bind)))
(allow hardhost_container_t port_type (tcp_socket (name_bind name_connect)))
(allow hardhost_container_t port_type (udp_socket (name_bind)))
(allow hardhost_container_t netlabel_peer_t (peer (recv)))
(allow hardhost_container_t netlabel_peer_t (tcp_socket (recvfrom)))
(allow hardhost_container_t netlabel_peer_t (udp_socket (recvfrom)))
(allow hardhost_container_t client_packet_type (packet (send recv)))
(allow hardhost_container_t server_packet_type (packet (send recv)))

; Runtimes of languages read these to find their limits.
(allow hardhost_container_t proc_net_t (dir (getattr search open read)))
(allow hardhost_container_t proc_net_t (file (getattr open read)))
(allow hardhost_container_t proc_net_t (lnk_file (getattr read)))
(allow hardhost_container_t sysctl_fs_t (dir (getattr search open read)))
(allow hardhost_container_t sysctl_fs_t (file (getattr open read)))
(allow hardhost_container_t sysctl_vm_overcommit_t (file (getattr open read)))
(allow hardhost_container_t sysfs_t (dir (getattr search open read)))
(allow hardhost_container_t sysfs_t (file (getattr open read)))
(allow hardhost_container_t sysfs_t (lnk_file (getattr read)))
(allow hardhost_container_t cgroup_t (dir (getattr search open read)))
(allow hardhost_container_t cgroup_t (file (getattr open read)))
(allow hardhost_container_t cgroup_t (lnk_file (getattr read)))

; What container_domain would bring along, on one of the two families or on both, and whatever other modules allow.
(deny hardhost_container_t sysctl_type (file (write append setattr)))
(deny hardhost_container_t modules_object_t (file (read open map)))
(classpermission hardhost_container_refused)
(classpermissionset hardhost_container_refused (netlink_route_socket (nlmsg_write)))
(classpermissionset hardhost_container_refused (capability (net_raw net_admin sys_admin)))
(classpermissionset hardhost_container_refused (cap_userns (net_raw net_admin sys_admin)))
(deny hardhost_container_t self hardhost_container_refused)

; What user namespaces put below the data root (/var/lib/docker/100000.100000) is labelled as what lies in it.
(filecon "/var/lib/docker/[0-9]+\.[0-9]+/.*/config\.env" file (system_u object_r container_ro_file_t ((s0) (s0))))
(filecon "/var/lib/docker/[0-9]+\.[0-9]+/containers/.*/.*\.log" file (system_u object_r container_log_t ((s0) (s0))))
(filecon "/var/lib/docker/[0-9]+\.[0-9]+/containers/.*/hostname" file (system_u object_r container_ro_file_t ((s0) (s0))))
(filecon "/var/lib/docker/[0-9]+\.[0-9]+/containers/.*/hosts" file (system_u object_r container_ro_file_t ((s0) (s0))))
(filecon "/var/lib/docker/[0-9]+\.[0-9]+/init(/.*)?" any (system_u object_r container_ro_file_t ((s0) (s0))))
(filecon "/var/lib/docker/[0-9]+\.[0-9]+/overlay2(/.*)?" any (system_u object_r container_ro_file_t ((s0) (s0))))
(filecon "/var/lib/docker/[0-9]+\.[0-9]+/volumes/[^/]+/.*" any (system_u object_r container_file_t ((s0) (s0))))
""" + "".join(REFUSED_SOCKET % (one, one) for one in SOCKETS)

# (class, permission, target): what a container of this type must be able to do, and what it must not.
SYSCTL = "system_u:object_r:sysctl_net_t:s0"
GRANTED = (
    ("tcp_socket", "create", CONTEXT),
    ("udp_socket", "create", CONTEXT),
    ("file", "execute", "system_u:object_r:container_file_t:s0"),
)
REFUSED = (
    *[(one, "create", CONTEXT) for one in SOCKETS],
    ("netlink_route_socket", "nlmsg_write", CONTEXT),
    ("cap_userns", "net_raw", CONTEXT),
    ("cap_userns", "net_admin", CONTEXT),
    ("cap_userns", "sys_admin", CONTEXT),
    ("capability", "net_raw", CONTEXT),
    ("capability", "net_admin", CONTEXT),
    ("capability", "sys_admin", CONTEXT),
    ("file", "write", SYSCTL),
    ("file", "read", "system_u:object_r:modules_object_t:s0"),
)
