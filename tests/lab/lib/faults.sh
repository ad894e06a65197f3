# shellcheck shell=bash
# Faults that a test makes and undoes. Each is a function fault_NAME MODE HOST; what is on is a file, so that `reset` can undo it.

declare -gA FAULTS=(
  [registry-refuses]='the image registry is down'
  [disk-full]='HOST: less than 4 MiB free where images go (db01: where dumps go)'
  [no-sudo]='HOST: operator may not use sudo'
  [sudo-password]='HOST: sudo asks operator for a password'
  [requiretty]='HOST: sudo wants a terminal'
  [use-pty]='HOST: sudo runs commands in a terminal of their own'
  [wrong-key]='HOST: another host key than the known one'
  [never-healthy]='HOST: the new version starts, and never becomes healthy'
  [slow-migration]='the migration takes 30 seconds'
  [old-container]='HOST: one more container of the old version, started by hand'
  [dead-blob]='a blob whose replication failed for good'
  [pending-blob]='a blob that still has to be replicated'
)
# Those that need a host.
FAULTS_OF_HOST=' disk-full no-sudo sudo-password requiretty use-pty wrong-key never-healthy old-container '

fault_command() {
  local name=${1:-} mode=${2:-} host=${3:-}
  if [[ -z $name ]]; then
    for name in $(printf '%s\n' "${!FAULTS[@]}" | sort); do printf '%-17s %s\n' "$name" "${FAULTS[$name]}"; done
    return
  fi
  [[ -n ${FAULTS[$name]:-} ]] || die "no fault $name: there are ${!FAULTS[*]}"
  [[ $mode == on || $mode == off ]] || die "on or off?"
  if [[ $FAULTS_OF_HOST == *" $name "* ]]; then host_named "$host"; else host=; fi
  fault_set "$name" "$mode" "$host"
}

fault_set() {
  local name=$1 mode=$2 host=$3 mark=$LAB/hosts/.faults/$1@$3
  mkdir -p "$LAB/hosts/.faults"
  [[ $mode == off ]] || touch "$mark"
  "fault_${name//-/_}" "$mode" "$host" || die "$name $mode ${host:+on $host }failed"
  [[ $mode == on ]] || rm -f "$mark"
}

faults_undo() {
  local mark name
  for mark in "$LAB"/hosts/.faults/*; do
    [[ -e $mark ]] || continue
    name=${mark##*/}
    fault_set "${name%@*}" off "${name#*@}"
  done
}

fault_registry_refuses() { if [[ $1 == on ]]; then registry_stop; else registry_start; fi; }

fault_disk_full() {
  local file
  file=$(host_disk_path "$2")/.lab-full
  # What is left is 2 MiB; reserved blocks there are none.
  if [[ $1 == on ]]; then
    host_script "$2" file="$file" <<'SH'
rm -f "$file"
fallocate -l "$(($(df --output=avail -B1 "${file%/*}" | tail -n 1) - 2097152))" "$file"
SH
  else
    host_exec "$2" rm -f "$file"
  fi
}

# sudoers HOST: the file on standard input is operator's right from now on; checked, then moved in place.
fault_sudoers() {
  host_exec "$1" 'umask 0337; cat >/etc/sudoers.d/.lab; visudo -qcf /etc/sudoers.d/.lab && mv -f /etc/sudoers.d/.lab /etc/sudoers.d/operator'
}
fault_sudoers_normal() { host_exec "$1" "rm -f /etc/sudoers.d/lab-$2"; }
fault_sudoers_extra() { host_exec "$1" "umask 0337; cat >/etc/sudoers.d/.lab; visudo -qcf /etc/sudoers.d/.lab && mv -f /etc/sudoers.d/.lab /etc/sudoers.d/lab-$2"; }

fault_no_sudo() { if [[ $1 == on ]]; then fault_sudoers "$2" <<<'# operator may do nothing'; else fault_sudo_normal "$2"; fi; }
fault_sudo_password() { if [[ $1 == on ]]; then fault_sudoers "$2" <<<'operator ALL=(ALL:ALL) ALL'; else fault_sudo_normal "$2"; fi; }
fault_sudo_normal() { fault_sudoers "$1" <<<'operator ALL=(ALL:ALL) NOPASSWD: ALL'; }
fault_requiretty() { if [[ $1 == on ]]; then fault_sudoers_extra "$2" requiretty <<<'Defaults requiretty'; else fault_sudoers_normal "$2" requiretty; fi; }
fault_use_pty() { if [[ $1 == on ]]; then fault_sudoers_extra "$2" use-pty <<<'Defaults use_pty'; else fault_sudoers_normal "$2" use-pty; fi; }

fault_wrong_key() {
  local keys=$LAB/hosts/$2
  if [[ $1 == on ]]; then host_keys "$keys/wrong_key" "$2"; keys=$keys/wrong_key; else keys=$keys/ssh_host_ed25519_key; fi
  host_exec "$2" 'umask 077; cat >/etc/ssh/ssh_host_ed25519_key.new; mv -f /etc/ssh/ssh_host_ed25519_key.new /etc/ssh/ssh_host_ed25519_key; ssh-keygen -y -f /etc/ssh/ssh_host_ed25519_key >/etc/ssh/ssh_host_ed25519_key.pub; systemctl restart ssh' <"$keys"
  try 10 host_answers "$2"
}

fault_never_healthy() {
  if [[ $1 == on ]]; then host_exec "$2" "echo $NEW >/mnt/quay/storage/.never-healthy"; else host_exec "$2" rm -f /mnt/quay/storage/.never-healthy; fi
}

fault_slow_migration() { SECONDS_OF_MIGRATION=$([[ $1 == on ]] && echo 30 || echo 2) each fault_migration_seconds "${NODES[@]}"; }
# Keeps owner and mode: the file is written again in place.
fault_migration_seconds() {
  # shellcheck disable=SC2016 # expands on the host
  host_script "$1" seconds="$SECONDS_OF_MIGRATION" <<'SH'
file=/mnt/quay/config/config.yaml
text=$(sed "s/^LAB_MIGRATION_SECONDS: .*/LAB_MIGRATION_SECONDS: $seconds/" "$file")
printf '%s\n' "$text" >"$file"
SH
}

fault_old_container() {
  if [[ $1 == on ]]; then
    node_run "$2" --restart=always --privileged=true -p 8443:8443 -p 8080:8080 -d --name old-by-hand -- >/dev/null
  else
    # One that ends in this moment is not removed at the first try.
    host_exec "$2" 'for round in 1 2 3; do podman rm -f -v -t 0 -i old-by-hand >/dev/null && exit 0; sleep 1; done; exit 1'
  fi
}

fault_blob() {
  if [[ $1 == on ]]; then
    database_sql quaydb <<SQL
insert into queueitem (queue_name, body, available_after, available, processing_expires, retries_remaining, state_id)
values ('imagestoragereplication/quayuser/lab-$2', '{"namespace_user_id": 1, "storage_id": "lab-$2"}', now() at time zone 'utc', true, null, $3, 'lab-$2');
SQL
  else
    database_sql quaydb <<<"delete from queueitem where queue_name = 'imagestoragereplication/quayuser/lab-$2'"
  fi
}
fault_dead_blob() { fault_blob "$1" dead 0; }
fault_pending_blob() { fault_blob "$1" pending 5; }
