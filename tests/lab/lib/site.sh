# shellcheck shell=bash disable=SC2034
# A lab of nine empty hosts: with LAB_SITE=1 there are db01, quay01 to quay03 and ceph01 to ceph05, on which nothing of a registry is
# installed. What runbooks install comes from a package source that every host has, images from the lab's registry.
# As after an installation of the system there are systemd, sshd, sudo, curl and Python; Ceph's programs are there too, so that not
# every test unpacks them four times, and none of them runs.

SITE=0
if [[ ${LAB_SITE:-0} == 1 ]]; then
  SITE=1
  SITE_CEPH=(ceph01 ceph02 ceph03 ceph04 ceph05)
  HOSTS+=("${SITE_CEPH[@]}")
  OCTET+=([ceph01]=21 [ceph02]=22 [ceph03]=23 [ceph04]=24 [ceph05]=25)
  BASE_PACKAGES=systemd-sysv,dbus,openssh-server,iproute2,procps,ca-certificates,curl,sudo,openssl,iptables,gzip,tar
  # For podman in a host of the lab; podman itself comes from the package source.
  BASE_PACKAGES+=,runc,containernetworking-plugins
  BASE_PACKAGES+=,python3,python3-apt,ceph-common,ceph-mgr,ceph-mon,ceph-osd,radosgw
  # What the runbooks install, with all that it needs.
  SITE_PACKAGES=(haproxy socat podman firewalld nftables acl chrony ansible-core cryptsetup-bin)
fi

site() { ((SITE > 0)); }

site_up() {
  base_build
  net_bridge
  secrets_make
  images_rootfs || die "the base of the images was not built"
  images_build
  images_site_build
  registry_start
  images_push
  images_site_push
  hosts_up
  output_write
  touch "$LAB/hosts/.ready"
}

# What mmdebstrap does while it makes the tree: the packages that hosts may install into a directory of the tree. Later there is no way
# to a mirror.
site_download() {
  # shellcheck disable=SC2016 # expands there
  printf 'rm -f "$1"/var/cache/apt/archives/*.deb; APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get install -yqq --no-install-recommends --download-only %s && mkdir -p "$1/srv/packages" && mv "$1"/var/cache/apt/archives/*.deb "$1/srv/packages/"' "${SITE_PACKAGES[*]}"
}

# site_index DIRECTORY: what is in a package source, as a mirror describes it.
site_index() (
  cd "$1" || return
  for deb in *.deb; do
    dpkg-deb -f "$deb" || return
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d' ' -f1)"
  done >Packages.new && mv Packages.new Packages
)

# In the base tree, after its packages: the source, nothing that starts by itself, and quick installations.
site_settle() {
  local tree=$1
  site_index "$tree/srv/packages"
  rm -rf "$tree/etc/apt/sources.list" "$tree"/etc/apt/sources.list.d/* "$tree"/var/lib/apt/lists/*
  printf 'deb [trusted=yes] file:/srv/packages ./\n' >"$tree/etc/apt/sources.list.d/lab.list"
  printf 'APT::Install-Recommends "false";\n' >"$tree/etc/apt/apt.conf.d/90lab"
  # The disk does not outlive this machine; what the lab has written into /etc for podman stays.
  printf 'force-unsafe-io\nforce-confold\n' >"$tree/etc/dpkg/dpkg.cfg.d/90lab"
  rm -f "$tree"/etc/systemd/system/multi-user.target.wants/{smartmontools,rbdmap,e2scrub_reap,ceph*}.service "$tree"/etc/systemd/system/*/nvm*.service "$tree"/etc/systemd/system/*/ceph*.target
  chroot "$tree" apt-get update -qq
}

# Files of a host, written to its disk before it boots.
site_disk() {
  local host=$1 root=$2
  printf '%s %s\n' "$(address db01)" "$SERVER_HOSTNAME" >>"$root/etc/hosts"
  # The disk for Ceph has a name that stays, as a real one has from its serial number.
  if site_device "$host"; then
    printf 'L+ /dev/disk/by-id/lab-%s - - - - ../../sdb\n' "$host" >"$root/etc/tmpfiles.d/lab-disk.conf"
  fi
  [[ $host != ceph05 ]] || site_ceph_ansible "$root"
}

# The stand-in for ceph-ansible comes into the package source of a host.
site_ceph_ansible() {
  local source=$1/srv/packages deb=ceph-ansible_3.2.56_all.deb
  "$HERE/ceph-ansible/build" "$source"
  {
    cat "$source/Packages"
    dpkg-deb -f "$source/$deb"
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$deb" "$(stat -c %s "$source/$deb")" "$(sha256sum "$source/$deb" | cut -d' ' -f1)"
  } >"$source/Packages.new"
  mv "$source/Packages.new" "$source/Packages"
  chroot "$1" apt-get update -qq
}

# Whether the disk of a host is one without a file system, for an OSD.
site_device() { site && [[ $1 == ceph0[1-3] ]]; }

# The loop device of a host's disk; made if there is none.
site_loop() {
  local image=$LAB/hosts/$1/disk.img device
  device=$(losetup -j "$image" -O NAME -n | head -n 1)
  [[ -n $device ]] || device=$(losetup -f --show "$image")
  printf '%s' "$device"
}

# Loop devices of this lab's disks away: a disk that is removed while it is in use would stay.
site_loops_gone() {
  local device
  losetup -n -O NAME,BACK-FILE | while read -r device file _; do
    [[ $file != "$LAB"/hosts/* ]] || losetup -d "$device" 2>/dev/null || true
  done
}

site_inventory() {
  local host
  printf '# Written by lab up.\nhosts:\n'
  for host in "${HOSTS[@]}"; do
    printf '  %s: { address: %s' "$host" "$(address "$host")"
    case $host in
      quay*) printf ', vars: { container: %s, storage_preference: region_%s, region: %s%s }' "$host" "${REGION[$host]}" "${REGION[$host]}" \
        "$([[ $host != "$MIRROR" ]] || printf ', mirror_container: mirror')" ;;
      *) ! site_device "$host" || printf ', vars: { device: /dev/disk/by-id/lab-%s }' "$host" ;;
    esac
    printf ' }\n'
  done
  cat <<'GROUPS'
groups:
  lb:     { hosts: [db01] }
  db:     { hosts: [db01] }
  quay:   { hosts: [quay01, quay02, quay03] }
  redis:  { hosts: [quay01, quay02, quay03] }
  clair:  { hosts: [quay03] }
  mirror: { hosts: [quay01] }
  mon:    { hosts: [ceph01, ceph02, ceph03] }
  osd:    { hosts: [ceph01, ceph02, ceph03] }
  rgw:    { hosts: [ceph04] }
  cadm:   { hosts: [ceph05] }
GROUPS
  printf 'connection: { user: operator, ssh_config: %s/ssh_config }\nbecome: sudo\n' "$LAB"
}

# Inputs of the whole site: of what this system, its images and its package source have in place of the real ones.
site_inputs() {
  cat <<INPUTS
# Written by lab up: inputs of the site in the lab.
hostname: $SERVER_HOSTNAME
certificate: $LAB/secrets/ssl.cert
key: $LAB/secrets/ssl.key
ca: $LAB/ca.pem
first: quay01
systems: ['Debian GNU/Linux 12']
storage_systems: ['Debian GNU/Linux 12']
storage_origin: { ceph_origin: distro }
public_network: $NET.0/24
device_size: 5GB
dmcrypt: false
subscription: false
selinux: false
anonymous: true
version: $OLD
postgres_image: registry.redhat.io/rhel8/postgresql-13:1-109
geo: true
mirroring: true
scanner: true
updaters: false
stable: 3s
INPUTS
}

# Nine empty hosts again.
site_reset() {
  registry_start
  rm -f "$LAB/hosts/.stamp"
  hosts_up
  output_write
}
