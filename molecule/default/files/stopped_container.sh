#!/bin/sh
# An image from the static busybox of the distribution, and a container of it that has ended.
set -eu
root=$(mktemp -d)
mkdir -p "$root/bin"
cp /bin/busybox "$root/bin/"
ln -s busybox "$root/bin/true"
tar -C "$root" -c . | docker import - workload
rm -rf "$root"
docker run --name ended workload /bin/true
