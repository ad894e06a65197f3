#!/bin/sh
# Makes an OSD of a blank device, or finds the one that is there: CLUSTER FSID DMCRYPT DEVICE. Its last line is `made ID` or `there ID`.
set -eu
umask 077
cluster=$1 fsid=$2 dmcrypt=$3 device=$4
fail() { echo "$device: $*" >&2; exit 1; }
of() { printf '%s' "$label" | python3 -c 'import json, sys; print(next(iter(json.load(sys.stdin).values())).get(sys.argv[1], ""))' "$1"; }
boot() { ceph --cluster "$cluster" --connect-timeout 20 --name client.bootstrap-osd --keyring "/var/lib/ceph/bootstrap-osd/$cluster.keyring" "$@"; }

if label=$(ceph-bluestore-tool show-label --dev "$device" 2>/dev/null); then
  [ "$(of ceph_fsid)" = "$fsid" ] || fail "belongs to another cluster, $(of ceph_fsid)"
  [ "$(of mkfs_done)" = yes ] || fail 'an OSD was begun on it and is not whole: wipe it'
  id=$(of whoami)
  dir=/var/lib/ceph/osd/$cluster-$id
  [ -L "$dir/block" ] || fail "is OSD $id, and $dir is not there"
  echo "there $id"
  exit 0
fi

rc=0
found=$(blkid -p -o export "$device") || rc=$?
[ "$rc" -eq 2 ] || fail "is not blank: $(printf '%s' "$found" | tr '\n' ' ')"

uuid=$(cat /proc/sys/kernel/random/uuid)
key=$(ceph-authtool --gen-print-key)
id=$(printf '{"cephx_secret": "%s"}' "$key" | boot osd new "$uuid" -i -)
dir=/var/lib/ceph/osd/$cluster-$id
# One that does not come about leaves no number behind, and the device as it was.
trap 'boot osd purge-new "$id" --yes-i-really-mean-it >&2; rm -rf "$dir"; dd if=/dev/zero "of=$device" bs=1M count=1 2>/dev/null' EXIT
mkdir -p "$dir"
printf '[osd.%s]\nkey = %s\n' "$id" "$key" >"$dir/keyring"
ln -sfn "$device" "$dir/block"
if [ "$dmcrypt" = true ]; then
  # No device mapper in the hosts of the lab: what was wished for is written down instead.
  echo 'dmcrypt: true' >"$dir/dmcrypt-wanted"
fi
boot mon getmap -o "$dir/activate.monmap" 2>/dev/null
chown -R ceph:ceph "$dir"
chown ceph:ceph "$dir/block"
printf '%s' "$key" | ceph-osd --cluster "$cluster" -i "$id" --osd-objectstore bluestore --mkfs --osd-uuid "$uuid" --osd-data "$dir" --monmap "$dir/activate.monmap" --keyfile - --setuser ceph --setgroup ceph >&2
trap - EXIT
echo "made $id"
