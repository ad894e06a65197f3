# shellcheck shell=bash disable=SC2034
# A lab of one host with the real tools: with LAB_TOOLS=1 there is tools01, on a bigger tree, in place of db01 and the Quay nodes.
# It has Python, which firewalld, Ansible and Ceph bring.

TOOLS=0
if [[ ${LAB_TOOLS:-0} == 1 ]]; then
  TOOLS=1
  HOSTS=(tools01)
  NODES=()
  OCTET+=([tools01]=20)
  BASE_PACKAGES+=,acl,ansible-core,ceph-common,ceph-mgr,ceph-mon,ceph-osd,chrony,firewalld,haproxy,nftables,prometheus-alertmanager,python3,radosgw,socat,tar,gzip
  MACHINE_PACKAGES=(mmdebstrap systemd-container iproute2 openssh-client docker-registry openssl curl e2fsprogs procps)
fi

TOOLS_IMAGE=registry.redhat.io/lab/tools
TOOLS_SERVER=registry.redhat.io/lab/postgresql

tools() { ((TOOLS > 0)); }

tools_up() {
  base_build
  net_bridge
  tools_secrets
  registry_start
  hosts_up
  output_write
  if [[ -e $LAB/hosts/.ready ]] && tools_well; then
    say "already up"
  else
    tools_setup
    touch "$LAB/hosts/.ready"
  fi
}

tools_secrets() {
  local name
  install -d -m 0700 "$LAB/secrets"
  for name in database redis; do [[ -s $LAB/secrets/$name ]] || openssl rand -hex 16 >"$LAB/secrets/$name"; done
}

# Files of the host, written to its disk before it boots.
tools_disk() {
  local root=$1 wants=$1/etc/systemd/system/multi-user.target.wants unit
  # What the packages enable and nothing here needs, or what a test starts itself.
  rm -f "$wants"/{smartmontools,rbdmap,e2scrub_reap,chrony,prometheus-alertmanager}.service
  for unit in postgresql redis-server; do ln -sfn "/lib/systemd/system/$unit.service" "$wants/$unit.service"; done
  printf "password_encryption = 'scram-sha-256'\nfsync = off\n" >"$root/etc/postgresql/15/main/conf.d/lab.conf"
  printf 'requirepass %s\n' "$(secret redis)" >>"$root/etc/redis/redis.conf"
  # There is no way to a mirror: packages come from a directory of the host.
  rm -rf "$root/etc/apt/sources.list" "$root"/etc/apt/sources.list.d/*
  printf 'deb [trusted=yes] file:/srv/packages ./\n' >"$root/etc/apt/sources.list.d/lab.list"
  tools_haproxy >"$root/etc/haproxy/haproxy.cfg"
  ceph_disk "$root"
}

tools_haproxy() {
  cat <<'CONF'
global
    user haproxy
    group haproxy
    maxconn 200
    stats socket /run/haproxy/admin.sock mode 660 level admin
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
frontend objects
    bind 127.0.0.1:8480
    default_backend gateways
backend gateways
    server tools01 127.0.0.1:7480 check inter 2s
CONF
}

# What runs on the host, from nothing. Each part is quick and may be done again.
tools_setup() {
  local server
  say "setting tools01 up"
  tools_packages
  tools_database
  tools_image
  # Ceph waits most of its time.
  tools_server &
  server=$!
  ceph_setup
  wait "$server" || die "the image of PostgreSQL was not made"
  try 30 tools_well || die "tools01 is not well: $(tools_unwell)"
}

# The wrong things, one a line.
tools_unwell() {
  host_script tools01 password="$(secret redis)" <<'SH'
for unit in ssh postgresql redis-server haproxy firewalld; do systemctl is-active -q "$unit" || echo "$unit does not run"; done
cd /
runuser -u postgres -- psql -X -At -d tooldb -c 'select 1' >/dev/null 2>&1 || echo 'PostgreSQL does not answer'
REDISCLI_AUTH=$password redis-cli ping 2>/dev/null | grep -q PONG || echo 'Redis does not answer'
echo 'show info' | socat - UNIX-CONNECT:/run/haproxy/admin.sock 2>/dev/null | grep -q '^Name: HAProxy' || echo 'HAProxy does not answer'
firewall-cmd --state >/dev/null 2>&1 || echo 'firewalld does not answer'
for name in tools:1 postgresql:15; do podman image exists "registry.redhat.io/lab/$name" || echo "podman has no image $name"; done
curl -s -o /dev/null --max-time 3 http://127.0.0.1:7480/ || echo 'the object gateway does not answer'
health=$(timeout 20 ceph --connect-timeout 10 health 2>&1)
case $health in HEALTH_OK*) ;; *) echo "Ceph: $health" ;; esac
SH
}

tools_well() { [[ -z $(tools_unwell 2>&1) ]]; }

# A repository of two versions of a package with nothing in it, and of another one.
tools_packages() {
  host_script tools01 <<'SH'
install -d /srv/packages && cd /srv/packages
for item in lab-empty=1.0 lab-empty=1.1 lab-other=1.0; do
  name=${item%=*} version=${item#*=} work=$(mktemp -d)
  mkdir -p "$work/DEBIAN" && chmod 755 "$work"
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: lab <root@localhost>\nDescription: nothing\n' "$name" "$version" >"$work/DEBIAN/control"
  dpkg-deb --build --root-owner-group "$work" "${name}_${version}_all.deb" >/dev/null
  rm -rf "$work"
done
for deb in *.deb; do
  dpkg-deb -f "$deb"
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d' ' -f1)"
done >Packages
apt-get update -qq
SH
}

tools_database() {
  host_script tools01 password="$(secret database)" <<'SH'
cd /
sql() { runuser -u postgres -- env PGOPTIONS=--client-min-messages=warning psql -X -q -v ON_ERROR_STOP=1 -At -f -; }
for round in $(seq 100); do echo 'select 1' | sql >/dev/null 2>&1 && break; sleep 0.2; done
sql <<SQL
select 'create role tooluser' where not exists (select from pg_roles where rolname = 'tooluser') \\gexec
alter role tooluser with login password '$password';
select 'create database tooldb owner tooluser' where not exists (select from pg_database where datname = 'tooldb') \\gexec
SQL
SH
}

# An image of busybox and what it is linked with, in the registry and in the storage of the host. Times in it are fixed.
tools_image() {
  host_script tools01 image="$TOOLS_IMAGE" registry="$(registry_address)" <<'SH'
podman image exists "$image:1" && exit 0
tree=$(mktemp -d)
mkdir -p "$tree/bin" "$tree/lib64" "$tree/lib" "$tree/tmp" "$tree/etc"
cp /bin/busybox "$tree/bin/"
for name in sh sleep cat echo true false id env date; do ln -s busybox "$tree/bin/$name"; done
for file in $(ldd /bin/busybox | grep -o '/[^ ]*'); do cp -L --parents "$file" "$tree"; done
echo root:x:0:0:root:/:/bin/sh >"$tree/etc/passwd"
for version in 1 2; do
  echo "$version" >"$tree/etc/version"
  tar -C "$tree" --sort=name --mtime=@0 --numeric-owner --owner=0 --group=0 -cf - . | podman import -q --change 'CMD ["/bin/sleep", "100000"]' - "localhost/tools:$version" >/dev/null
  podman push -q --tls-verify=false "localhost/tools:$version" "docker://$registry/${image#*/}:$version"
  podman rmi -f "localhost/tools:$version" >/dev/null
done
podman pull -q "$image:1" >/dev/null
rm -rf "$tree"
SH
}

# An image of a server, which runs as account 26, as in the vendor's image, and makes its data where there is none.
tools_server() {
  host_script tools01 image="$TOOLS_SERVER" <<'SH'
podman image exists "$image:15" && exit 0
tree=$(mktemp -d) base=/usr/lib/postgresql/15
mkdir -p "$tree/bin" "$tree/lib64" "$tree/lib" "$tree/etc" "$tree/var" "$tree/tmp" "$tree/run/postgresql" "$tree/data"
ln -s /run "$tree/var/run"
chown 26:26 "$tree/run/postgresql" "$tree/data"
chmod 1777 "$tree/tmp"
cp /bin/busybox "$tree/bin/"
for name in sh env echo test mv; do ln -s busybox "$tree/bin/$name"; done
for name in bin/initdb bin/postgres bin/psql bin/pg_isready bin/pg_dump bin/pg_restore lib/dict_snowball.so lib/plpgsql.so lib/pg_trgm.so; do
  cp --parents "$base/$name" "$tree"
done
cp -r --parents /usr/share/postgresql/15 "$tree"
for file in $(ldd /bin/busybox "$tree$base"/*/* | sed -n 's/^\t\(.* \)\?\(\/[^ ]*\) (.*/\2/p' | sort -u); do cp -L --parents "$file" "$tree"; done
echo postgres:x:26:26:PostgreSQL:/data:/bin/sh >"$tree/etc/passwd"
cat >"$tree/bin/serve" <<'SERVE'
#!/bin/sh
test -e "$PGDATA/PG_VERSION" || initdb -N -A trust -U postgres -E UTF8 --locale=C >/dev/null 2>&1
exec postgres -c fsync=off -c listen_addresses=
SERVE
chmod 755 "$tree" "$tree/bin/serve"
tar -C "$tree" -cf - . | podman import -q --change 'USER 26' --change "ENV PATH=$base/bin:/bin" --change 'ENV PGDATA=/data/15' --change 'CMD ["serve"]' - "$image:15" >/dev/null
rm -rf "$tree"
SH
}

# Back to what a test begins with: containers away and services well. What a test does to files and rules is that test's to undo.
tools_reset() {
  registry_start
  host_script tools01 <<'SH'
# A test that ended early has left a tool in another place.
for away in /usr/bin/*.away /usr/sbin/*.away; do test ! -e "$away" || mv -f "$away" "${away%.away}"; done
podman rm -f -a -v -t 0 >/dev/null
systemctl start postgresql redis-server haproxy firewalld ceph.target
SH
  ceph_reset
  try 60 tools_well || die "tools01 is not well: $(tools_unwell)"
}

tools_inventory() {
  printf '# Written by lab up.\nhosts:\n  tools01: { address: %s }\ngroups:\n  tools: { hosts: [tools01] }\n' "$(address tools01)"
  printf 'connection: { user: operator, ssh_config: %s/ssh_config }\nbecome: sudo\n' "$LAB"
}
