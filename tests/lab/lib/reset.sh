# shellcheck shell=bash
# Back to the start of every test: the old version everywhere, nothing else, no trace of an earlier run.

reset_all() {
  local host
  [[ -e $LAB/hosts/.stamp ]] || die "there is no lab: lab up"
  if site; then site_reset; return; fi
  plain || registry_start
  for host in "${HOSTS[@]}"; do
    host_on "$host" || { host_boot "$host"; host_wait "$host"; }
    net_heal "$host"
  done
  faults_undo
  each reset_host "${HOSTS[@]}" || die "a host could not be reset"
  if plain; then return; fi
  if tools; then tools_reset; return; fi
  database_setup
  database_template
  database_reset
  database_forget_events
  each node_start "${NODES[@]}" || die "a node could not be started"
  nodes_healthy 30 || die "the nodes are not healthy: lab exec HOST podman logs NAME"
  nodes_account || die "there is no account that may push"
  database_balancer_reset
  try 15 database_balancer_up || die "the load balancer does not see every node"
  # A node is healthy a moment before it says so, and the mirror worker answers nobody.
  try 15 reset_all_ready || die "not every old container said that it is ready"
  database_forget_events
  output_inputs
}

reset_all_ready() {
  (($(database_sql lab <<<"select count(*) from lab_event where event = 'ready' and version = '$OLD'") == ${#NODES[@]} + 1))
}

# A host without containers, without the new image, with the configuration that it was made with, and without anything that a run left there. Whatever a killed
# controller left running was started below sshd, and has stayed in the control group of its unit.
reset_host() {
  host_script "$1" image="$IMAGE" old="$OLD" <<'SH'
if [ -d /mnt/quay ]; then
  podman rm -f -a -v -t 0 >/dev/null
  podman volume prune -f >/dev/null
  rm -rf /mnt/quay/config
  cp -a /root/lab/config /mnt/quay/
  old=$(podman image inspect --format '{{.Id}}' "$image:$old" 2>/dev/null || true)
  for id in $(podman images -q --no-trunc | sed 's/^sha256://' | sort -u); do test "$id" = "$old" || podman rmi -f "$id" >/dev/null; done
fi
keep=" $(systemctl show -p MainPID --value ssh.service) "
pid=$$
while [ "$pid" -gt 1 ]; do keep="$keep$pid "; pid=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status"); done
for group in /sys/fs/cgroup/systemd /sys/fs/cgroup; do
  test -e "$group/cgroup.procs" || continue
  group=$group$(sed -n -e 's/^1:name=systemd://p' -e 's/^0:://p' /proc/self/cgroup | head -n 1)
  for pid in $(cat "$group/cgroup.procs" 2>/dev/null); do
    case $keep in *" $pid "*) ;; *) kill -KILL "$pid" 2>/dev/null || true ;; esac
  done
  break
done
rm -rf /var/lib/quay-dumps /var/lib/quay-geo-upgrade*
mkdir -p /var/lib/quay-dumps
rm -rf /var/lib/runbook /home/operator/.local/state/runbook /var/tmp/runbook-* /dev/shm/runbook* /run/runbook*
SH
}
