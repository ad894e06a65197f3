# shellcheck shell=bash
# A Ceph of one host: a monitor, a manager, three OSDs over sparse files, and an object gateway.

# Files of the host, written to its disk before it boots.
ceph_disk() {
  local root=$1
  cat >"$root/etc/ceph/ceph.conf" <<CONF
[global]
fsid = 3c9a1f3e-5b0e-4f57-9d2b-0a4c1d2e3f40
mon_initial_members = tools01
mon_host = $(address tools01)
public_network = $NET.0/24
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
auth_allow_insecure_global_id_reclaim = false
# Copies go to OSDs, not to hosts: there is one host.
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 2
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
mon_max_pg_per_osd = 1000
mon_allow_pool_delete = true
# The disk of this machine may be fuller than that of a real cluster should be.
mon_data_avail_warn = 2
mon_data_avail_crit = 1
# The disk does not outlive this machine, and its memory is shared.
osd_memory_target = 939524096
osd_op_num_shards = 1
bluestore_block_size = 2147483648
bluestore_block_wal_create = false
bluestore_block_db_create = false
mgr_stats_period = 2
[client.rgw.tools01]
rgw_frontends = beast port=7480
rgw_thread_pool_size = 8
CONF
}

ceph_setup() {
  host_script tools01 <<'SH'
id=tools01 data=/var/lib/ceph
# key FILE WORD…: a key for what starts later.
key() {
  file=$1
  shift
  install -d -o ceph -g ceph "${file%/*}"
  ceph --connect-timeout 20 auth get-or-create "$@" >"$file"
  chown ceph: "$file"
  chmod 600 "$file"
}
systemctl enable -q ceph-mon@$id ceph-mgr@$id ceph-radosgw@rgw.$id ceph-osd@0 ceph-osd@1 ceph-osd@2 2>/dev/null
if [ ! -d "$data/mon/ceph-$id/store.db" ]; then
  umask 077
  ceph-authtool --create-keyring /root/mon.keyring --gen-key -n mon. --cap mon 'allow *' >/dev/null
  ceph-authtool --create-keyring /etc/ceph/ceph.client.admin.keyring --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' --cap mds 'allow *' >/dev/null
  ceph-authtool /root/mon.keyring --import-keyring /etc/ceph/ceph.client.admin.keyring >/dev/null
  chown ceph: /root/mon.keyring && mv /root/mon.keyring "$data/tmp/"
  runuser -u ceph -- ceph-mon --mkfs -i $id --keyring "$data/tmp/mon.keyring"
  rm "$data/tmp/mon.keyring"
  umask 022
fi
systemctl start ceph-mon@$id
ceph --connect-timeout 30 mon enable-msgr2
key "$data/mgr/ceph-$id/keyring" mgr.$id mon 'allow profile mgr' osd 'allow *' mds 'allow *'
systemctl start ceph-mgr@$id
for osd in 0 1 2; do
  dir=$data/osd/ceph-$osd
  if [ ! -e "$dir/ready" ]; then
    uuid=$(cat /proc/sys/kernel/random/uuid)
    ceph osd new "$uuid" "$osd" >/dev/null
    key "$dir/keyring" osd.$osd mon 'allow profile osd' mgr 'allow profile osd' osd 'allow *'
    ceph-osd -i $osd --mkfs --osd-uuid "$uuid" --setuser ceph --setgroup ceph 2>/dev/null
  fi &
done
wait
for osd in 0 1 2; do systemctl start ceph-osd@$osd; done
key "$data/radosgw/ceph-rgw.$id/keyring" client.rgw.$id mon 'allow rw' osd 'allow rwx'
systemctl start ceph-radosgw@rgw.$id
SH
}

# The flags of the whole cluster as they were, and no OSD out.
ceph_reset() {
  host_script tools01 <<'SH'
set=$(ceph --connect-timeout 20 osd dump | sed -n 's/^flags //p' | tr ',' ' ')
for flag in noout norebalance norecover nobackfill noscrub nodeep-scrub nodown noup noin; do
  case " $set " in *" $flag "*) ceph osd unset "$flag" 2>/dev/null ;; esac
done
ceph osd in all 2>/dev/null
SH
}
