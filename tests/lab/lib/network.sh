# shellcheck shell=bash
# One bridge, and a network namespace with a cable to it for each host. Names carry the bridge's name, so that two labs can live together.

net_space() { printf '%s-%s' "$BRIDGE" "$1"; }

net_bridge() {
  ip link show dev "$BRIDGE" >/dev/null 2>&1 || {
    ! ip -4 route show "$NET.0/24" | grep -q . || die "$NET.0/24 is in use on this machine: choose another with LAB_NET"
    ip link add "$BRIDGE" type bridge
  }
  ip addr replace "$NET.1/24" dev "$BRIDGE"
  ip link set "$BRIDGE" up
}

net_make() {
  local host=$1 space hardware
  space=$(net_space "$host")
  # The card stays the same over a reboot, or neighbours would send to the old one for a while.
  # shellcheck disable=SC2086 # the parts of the address are the words
  hardware=$(printf '02:4c:%02x:%02x:%02x:%02x' ${NET//./ } "${OCTET[$host]}")
  net_remove "$host"
  ip netns add "$space"
  ip link add "$space" type veth peer name eth0 address "$hardware" netns "$space"
  ip link set "$space" master "$BRIDGE" up
  ip -n "$space" link set lo up
  ip -n "$space" addr add "$(address "$host")/24" dev eth0
  ip -n "$space" link set eth0 up
  ip -n "$space" route add default via "$NET.1"
}

net_remove() {
  local space
  space=$(net_space "$1")
  ip link del "$space" 2>/dev/null || true
  ip netns del "$space" 2>/dev/null || true
}

net_cut() { ip link set "$(net_space "$1")" down; }
net_heal() { ip link set "$(net_space "$1")" up; }

# Also what an earlier lab with other hosts left behind.
net_down() {
  local space
  for space in $(ip netns list | cut -d' ' -f1 | grep "^$BRIDGE-" || true); do net_remove "${space#"$BRIDGE-"}"; done
  for space in $(ip -o link show type veth | sed -n "s/^[0-9]*: \($BRIDGE-[a-z0-9]*\)@.*/\1/p"); do ip link del "$space" 2>/dev/null || true; done
  ip link del "$BRIDGE" 2>/dev/null || true
}
