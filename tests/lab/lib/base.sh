# shellcheck shell=bash
# The base tree: one Debian that all hosts see below their own disk.

BASE_PACKAGES=systemd-sysv,dbus,openssh-server,iproute2,procps,ca-certificates,curl,sudo,podman,runc
BASE_PACKAGES+=,containernetworking-plugins,iptables,openssl,postgresql,redis-server,nginx-light,libnginx-mod-http-dav-ext,haproxy,socat,busybox,mksh

base_build() {
  local tree=$LAB/base stamp options=()
  stamp=$(digest_of machine_tree base_build base_settle base_sudoers site_download site_settle <<<"$SUITE $BASE_PACKAGES ${SITE_PACKAGES[*]:-}")
  [[ $(cat "$tree.stamp" 2>/dev/null) != "$stamp" ]] || return 0
  hosts_down # they stand on the old tree
  say "building the base tree"
  rm -f "$tree.stamp"
  remove_tree "$tree" "$tree.new"
  ! site || options+=(--customize-hook="$(site_download)")
  # No documentation, no translations: every host would carry them.
  machine_tree "$tree.new" --variant=minbase --include="$BASE_PACKAGES" "${options[@]}" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*'
  base_settle "$tree.new"
  ! site || site_settle "$tree.new"
  mv "$tree.new" "$tree"
  printf '%s\n' "$stamp" >"$tree.stamp"
}

base_settle() {
  local tree=$1 units=$1/etc/systemd/system name
  for name in systemd-networkd systemd-resolved systemd-timesyncd console-getty systemd-logind getty@ apt-daily apt-daily-upgrade; do
    ln -sfn /dev/null "$units/$name.service"
  done
  # A host runs nothing by itself but sshd; db01 gets its services when it is made. podman-restart stays off, as the
  # guide leaves it: a container does not come back after a reboot.
  rm -f "$units"/multi-user.target.wants/{podman*,postgresql,redis*,nginx,haproxy}.service "$units"/timers.target.wants/* "$units"/default.target.wants/podman*
  rm -f "$tree"/etc/ssh/ssh_host_*_key* "$tree/etc/machine-id"
  printf 'PermitRootLogin prohibit-password\nPasswordAuthentication no\n' >"$tree/etc/ssh/sshd_config.d/lab.conf"

  # The accounts. use_pty is off as on most distributions; a fault turns it on.
  chroot "$tree" useradd --create-home --shell /bin/bash --gid operator operator # Debian has a group of that name
  sed -i '/use_pty/d' "$tree/etc/sudoers"
  base_sudoers "$tree"

  # crun refuses the hybrid cgroups of many machines, and without CAP_SYS_RESOURCE podman's default ulimits are refused.
  mkdir -p "$tree/etc/containers/registries.conf.d"
  cat >"$tree/etc/containers/containers.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=10000:10000", "nproc=30000:30000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
  printf '{ "default": [ { "type": "insecureAcceptAnything" } ] }\n' >"$tree/etc/containers/policy.json"

  # systemd-nspawn mounts the controllers of cgroup v1 read-only; podman must write there.
  cat >"$units/lab-cgroups.service" <<'UNIT'
[Unit]
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'mount -o remount,rw /sys/fs/cgroup; for c in memory cpu cpuacct cpuset blkio devices freezer pids; do test -d /sys/fs/cgroup/$c || continue; umount /sys/fs/cgroup/$c; mount -t cgroup -o $c cgroup /sys/fs/cgroup/$c; done; true'
UNIT
  mkdir -p "$units/sysinit.target.wants"
  ln -sfn ../lab-cgroups.service "$units/sysinit.target.wants/lab-cgroups.service"
}

# What operator may do with sudo when nothing is wrong.
base_sudoers() {
  printf 'operator ALL=(ALL:ALL) NOPASSWD: ALL\n' >"$1/etc/sudoers.d/operator"
  chmod 0440 "$1/etc/sudoers.d/operator"
}
