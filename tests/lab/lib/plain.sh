# shellcheck shell=bash disable=SC2034
# A lab of plain hosts: with LAB_NODES=7 there are node01 to node07, which have sshd and sudo and nothing else, in place of db01
# and the Quay nodes. No registry, no images, no services.

PLAIN=0
if [[ ${LAB_NODES:-} =~ ^[1-9][0-9]?$ ]]; then
  PLAIN=$LAB_NODES
  HOSTS=()
  NODES=()
  for ((n = 1; n <= PLAIN; n++)); do
    HOSTS+=("$(printf 'node%02d' "$n")")
    OCTET[${HOSTS[-1]}]=$((100 + n))
  done
  unset n
  BASE_PACKAGES=systemd-sysv,dbus,openssh-server,iproute2,procps,sudo
  MACHINE_PACKAGES=(mmdebstrap systemd-container iproute2 openssh-client e2fsprogs procps)
fi

plain() { ((PLAIN > 0)); }

plain_up() {
  base_build
  net_bridge
  hosts_up
  output_write
  touch "$LAB/hosts/.ready"
}

plain_inventory() {
  local host
  printf '# Written by lab up.\nhosts:\n'
  for host in "${HOSTS[@]}"; do printf '  %s: { address: %s }\n' "$host" "$(address "$host")"; done
  printf 'groups:\n  nodes: { hosts: [%s] }\n' "$(printf '%s\n' "${HOSTS[@]}" | paste -sd, | sed 's/,/, /g')"
  printf 'connection: { user: operator, ssh_config: %s/ssh_config }\nbecome: sudo\n' "$LAB"
}
