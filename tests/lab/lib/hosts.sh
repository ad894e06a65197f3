# shellcheck shell=bash
# Hosts: a Debian with systemd as PID 1 each, in a network namespace, over an overlay of the base tree.
# A host is found by what runs in its namespace, never by a pid in a file: such a file may be older than the machine's last boot.

# How systemd-nspawn ends for a host that restarts itself.
RESTARTED=133

host_root() { printf '%s/hosts/%s/root' "$LAB" "$1"; }

# PID 1 of the host as this machine sees it; nothing if the host is off.
host_leader() {
  local pid
  for pid in $(ip netns pids "$(net_space "$1")" 2>/dev/null || true); do
    awk -v pid="$pid" '/^NSpid:/ && NF == 3 && $3 == 1 { print pid }' "/proc/$pid/status" 2>/dev/null || true
  done | head -n 1
}

host_on() { [[ -n $(host_leader "$1") ]]; }

# The disk of a host: made once, kept over `kill` and `boot`.
host_make() {
  local host=$1 dir=$LAB/hosts/$1 root other
  root=$(host_root "$host")
  mkdir -p "$dir"/{upper,work,root,disk}
  truncate -s "$(host_disk_size "$host")" "$dir/disk.img"
  site_device "$host" || mkfs.ext4 -q -m 0 "$dir/disk.img"
  host_mount "$host"
  printf '%s\n' "$host" >"$root/etc/hostname"
  tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
  {
    printf '127.0.0.1 localhost\n'
    for other in "${HOSTS[@]}"; do printf '%s %s\n' "$(address "$other")" "$other"; done
  } >"$root/etc/hosts"
  host_keys "$dir/ssh_host_ed25519_key" "$host"
  install -m 0600 "$dir/ssh_host_ed25519_key" "$dir/ssh_host_ed25519_key.pub" "$root/etc/ssh/"
  install -d -m 0700 "$root/root/.ssh"
  install -m 0600 "$LAB/key.pub" "$root/root/.ssh/authorized_keys"
  local owner
  owner=$(chroot "$root" id -u operator):$(chroot "$root" id -g operator)
  install -d -m 0700 -o "${owner%:*}" -g "${owner#*:}" "$root/home/operator/.ssh"
  install -m 0600 -o "${owner%:*}" -g "${owner#*:}" "$LAB/key.pub" "$root/home/operator/.ssh/authorized_keys"
  printf 'unqualified-search-registries = []\n[[registry]]\nprefix = "%s"\nlocation = "%s"\ninsecure = true\n' \
    "${IMAGE%%/*}" "$(registry_address)" >"$root/etc/containers/registries.conf.d/lab.conf"
  if plain; then return; fi
  if site; then
    site_disk "$host" "$root"
    return
  fi
  case $host in
    db01) database_disk "$root" ;;
    tools01) tools_disk "$root" ;;
    *) node_disk "$host" "$root" ;;
  esac
}

host_keys() { ssh-keygen -q -t ed25519 -N '' -C "$2" -f "$1" <<<y >/dev/null; }

host_mount() {
  local dir=$LAB/hosts/$1
  mountpoint -q "$dir/root" || mount -t overlay "lab-$1" -o "lowerdir=$LAB/base,upperdir=$dir/upper,workdir=$dir/work" "$dir/root"
  site_device "$1" || mountpoint -q "$dir/disk" || mount -o loop "$dir/disk.img" "$dir/disk"
}

# Where the small disk of its own goes, so that a test can fill it.
host_disk_path() {
  case $1 in
    db01) if site; then echo /var/lib/containers; else echo /var/backups/quay; fi ;;
    quay* | tools*) echo /var/lib/containers ;;
    ceph*) echo /mnt ;; # below /srv is what they install
    *) echo /srv ;;
  esac
}

# Its size. That of an OSD takes what is written to it only.
host_disk_size() {
  case $1 in
    quay* | tools*) echo 3G ;;
    ceph*) if site_device "$1"; then echo 6G; else echo 256M; fi ;;
    *) if site; then echo 3G; else echo 256M; fi ;;
  esac
}

host_boot() {
  local host=$1 dir=$LAB/hosts/$1 options=(--register=no) status
  ! host_on "$host" || return 0
  [[ -e $dir/disk.img ]] || die "$host was never made: lab up"
  host_mount "$host"
  net_make "$host"
  # Where systemd does not run, nobody could make a scope for the host.
  [[ -d /run/systemd/system ]] || options+=(--keep-unit)
  # There a test watches which programs are started.
  ! tools || options+=(--system-call-filter='fanotify_init fanotify_mark')
  if site_device "$host"; then
    options+=(--bind="$(site_loop "$host"):/dev/sdb")
  else
    options+=(--bind="$dir/disk:$(host_disk_path "$host")")
  fi
  (
    [[ -d /run/systemd/system ]] || host_cgroup "$host"
    status=$RESTARTED
    while ((status == RESTARTED)); do
      status=0
      # The host's /proc/sys is writable because port mapping needs that.
      SYSTEMD_NSPAWN_API_VFS_WRITABLE=1 setsid --wait systemd-nspawn --quiet "${options[@]}" --boot --directory="$dir/root" \
        --network-namespace-path="/run/netns/$(net_space "$host")" \
        --capability=all --system-call-filter='@keyring bpf' --bind=/dev/fuse --resolv-conf=off --timezone=off || status=$?
    done
  ) </dev/null >"$dir/console.log" 2>&1 9>&- &
  disown
}

# Puts whoever calls it into groups of the host's own. Hosts that share them have the same paths for the same units, and
# one whose unit ends takes the group away from the other's, which then does not start.
host_cgroup() {
  local tree group
  for tree in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    [[ -e $tree/cgroup.procs ]] || continue
    group=$tree/runbook-lab/$BRIDGE-$1
    mkdir -p "$group" && echo "$BASHPID" >"$group/cgroup.procs"
  done
}

# What a host that is gone has left of its groups.
host_cgroup_gone() {
  local tree
  for tree in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    [[ -d $tree/runbook-lab/$BRIDGE-$1 ]] || continue
    find "$tree/runbook-lab/$BRIDGE-$1" -depth -type d -exec rmdir -- {} + 2>/dev/null || true
  done
}

# Power loss. To end systemd-nspawn itself would leave the host running.
host_kill() {
  local pid
  pid=$(host_leader "$1")
  [[ -n $pid ]] || return 0
  kill -KILL "$pid"
  try 10 host_gone "$1" || die "$1 does not die"
  host_cgroup_gone "$1"
}

host_gone() {
  [[ -z $(ip netns pids "$(net_space "$1")" 2>/dev/null) ]] && ! pgrep -f -x "systemd-nspawn .*--directory=$LAB/hosts/$1/root .*" >/dev/null
}

host_answers() { host_exec "$1" true 2>/dev/null; }
host_wait() { try 30 host_answers "$1" || die "$1 did not come up, see $LAB/hosts/$1/console.log"; }

# host_exec HOST COMMAND…: as root. One argument is a line for the host's shell; more are passed on as they are.
host_exec() {
  local host=$1
  shift
  [[ $# -gt 0 ]] || die "what to do on $host?"
  local line=$1
  [[ $# -eq 1 ]] || line=$(printf '%q ' "$@")
  ssh -F "$LAB/ssh_config.root" -- "$host" "$line" 9>&-
}

# host_script HOST NAME=VALUE… <script: the script by `sh`, with variables.
host_script() {
  local host=$1
  shift
  { for pair; do printf '%s=%q\n' "${pair%%=*}" "${pair#*=}"; done; cat; } | host_exec "$host" 'exec sh -eu -s'
}

# What a host's disk is made from: if that changed, the hosts are made anew.
hosts_stamp() {
  local from=("$LAB/base.stamp")
  plain || tools || site || from+=("$LAB/image/oci.stamp" "$LAB/secrets/ssl.cert")
  { cat "${from[@]}"; echo "$NET $BRIDGE ${HOSTS[*]}"; ! site || find "$HERE/ceph-ansible" -type f -exec sha256sum {} + | cut -d' ' -f1 | sort; } |
    digest_of host_make host_mount host_disk_size site_disk site_ceph_ansible database_disk database_balancer database_setup database_template node_disk node_engine node_config tools_disk tools_haproxy tools_packages tools_database tools_image tools_server ceph_disk ceph_setup
}

hosts_up() {
  local stamp host
  stamp=$(hosts_stamp)
  if [[ $(cat "$LAB/hosts/.stamp" 2>/dev/null) != "$stamp" ]]; then
    hosts_down
    say "making ${#HOSTS[@]} hosts"
    mkdir -p "$LAB/hosts"
    [[ -e $LAB/key ]] || ssh-keygen -q -t ed25519 -N '' -C lab -f "$LAB/key"
    output_ssh
    each host_make "${HOSTS[@]}" || die "a host was not made"
    printf '%s\n' "$stamp" >"$LAB/hosts/.stamp"
  fi
  output_ssh
  for host in "${HOSTS[@]}"; do host_boot "$host"; done
  each host_wait "${HOSTS[@]}" || exit 1
}

# Everything of the hosts away, whatever state a killed lab left it in.
hosts_down() {
  local dir host
  [[ -d $LAB/hosts ]] || return 0
  for dir in "$LAB"/hosts/*/; do
    [[ -d $dir ]] || continue
    host=$(basename "$dir")
    host_kill "$host"
    net_remove "$host"
  done
  site_loops_gone
  remove_tree "$LAB/hosts"
}

hosts_list() {
  local host
  for host in "${HOSTS[@]}"; do
    printf '%s %s %s\n' "$host" "$(address "$host")" "$(if host_on "$host"; then echo on; else echo off; fi)"
  done
}
