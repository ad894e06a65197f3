# shellcheck shell=bash
# What the lab writes for those who use it.

output_ssh() {
  local host
  for host in "${HOSTS[@]}"; do
    [[ ! -e $LAB/hosts/$host/ssh_host_ed25519_key.pub ]] ||
      printf '%s,%s %s\n' "$host" "$(address "$host")" "$(cut -d' ' -f1,2 "$LAB/hosts/$host/ssh_host_ed25519_key.pub")"
  done >"$LAB/known_hosts"
  for host in "${HOSTS[@]}"; do
    printf 'Host %s %s\n  HostName %s\n' "$host" "$(address "$host")" "$(address "$host")"
    printf '  User operator\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n' "$LAB/key" "$LAB/known_hosts"
  done >"$LAB/ssh_config"
  # The lab's own way in, which a fault in the host keys must not close.
  for host in "${HOSTS[@]}"; do
    printf 'Host %s\n  HostName %s\n  User root\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile /dev/null\n' "$host" "$(address "$host")" "$LAB/key"
    printf '  StrictHostKeyChecking no\n  LogLevel ERROR\n  BatchMode yes\n  ConnectTimeout 3\n  ServerAliveInterval 5\n  ControlPath none\n'
  done >"$LAB/ssh_config.root"
}

output_write() {
  output_ssh
  if plain; then
    plain_inventory >"$LAB/inventory.yaml"
    return
  fi
  if tools; then
    tools_inventory >"$LAB/inventory.yaml"
    return
  fi
  if site; then
    site_inventory >"$LAB/inventory.yaml"
    site_inputs >"$LAB/site.yaml"
    return
  fi
  local host
  {
    printf '# Written by lab up.\nhosts:\n  db01: { address: %s, vars: { } }\n' "$(address db01)"
    for host in "${NODES[@]}"; do
      printf '  %s: { address: %s, vars: { container: %s, storage_preference: region_%s, region: %s' "$host" "$(address "$host")" "$host" "${REGION[$host]}" "${REGION[$host]}"
      [[ $host != "$MIRROR" ]] || printf ', mirror_container: mirror'
      printf ' } }\n'
    done
    printf 'groups:\n  quay: { hosts: [%s] }\n  mirror: { hosts: [%s] }\n  db: { hosts: [db01] }\n  lb: { hosts: [db01] }\n' "$(IFS=,; echo "${NODES[*]}")" "$MIRROR"
    printf 'connection: { user: operator, ssh_config: %s/ssh_config }\nbecome: sudo\n' "$LAB"
  } | sed 's/,quay/, quay/g' >"$LAB/inventory.yaml"
  output_inputs
}

# Inputs of the upgrade. Its window opens now, so they are written at each reset. One person is enough here, whoever runs it.
output_inputs() {
  {
    printf '# Written by lab reset: inputs of the upgrade in the lab.\n'
    printf 'from: 3.7.0\nto: 3.8.0\nimage: %s\ndigest: %s\nhostname: %s\nca: %s/ca.pem\nfirst: quay01\nstable: 3s\nanonymous: true\ndump_copy: quay02:/var/lib/quay-dumps\n' \
      "$IMAGE" "$(images_digest "$NEW")" "$SERVER_HOSTNAME" "$LAB"
    printf 'image_space: 1GiB\nfinish: 2s\napprovers: 1\nnot_runner: false\n'
    printf 'window: { opens: %s, no_return_before: %s, closes: %s }\n' "$(output_date '-1 minute')" "$(output_date '+4 hours')" "$(output_date '+6 hours')"
  } >"$LAB/upgrade.yaml"
}

output_date() { date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ; }

output_env() {
  local name
  local -A value=(
    [LAB]=$LAB [NET]=$NET.0/24 [BRIDGE]=$BRIDGE [INVENTORY]=$LAB/inventory.yaml [INPUTS]=$LAB/upgrade.yaml
    [SSH_CONFIG]=$LAB/ssh_config [KNOWN_HOSTS]=$LAB/known_hosts [CA]=$LAB/ca.pem [HOSTNAME]=$SERVER_HOSTNAME [SMOKE]=$LAB/secrets/smoke
    [IMAGE]=$IMAGE [DIGEST_OLD]=$(images_digest "$OLD") [DIGEST_NEW]=$(images_digest "$NEW") [REGISTRY]=$(registry_address)
  )
  ! tools || value+=([IMAGE]=$TOOLS_IMAGE)
  ! tools || unset 'value[INPUTS]' 'value[CA]' 'value[SMOKE]' 'value[HOSTNAME]' 'value[DIGEST_OLD]' 'value[DIGEST_NEW]'
  ! site || value[INPUTS]=$LAB/site.yaml
  ! site || unset 'value[SMOKE]'
  ! plain || unset 'value[INPUTS]' 'value[CA]' 'value[SMOKE]' 'value[HOSTNAME]' 'value[IMAGE]' 'value[DIGEST_OLD]' 'value[DIGEST_NEW]' 'value[REGISTRY]'
  for name in $(printf '%s\n' "${!value[@]}" | sort); do printf '%s=%q\n' "$name" "${value[$name]}"; done
}
