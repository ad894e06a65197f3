# shellcheck shell=bash disable=SC2034
# What every part uses: messages, the lock, the hosts' names, and doing a thing on many hosts at once.

SUITE=bookworm
declare -gA OCTET=([db01]=10 [quay01]=11 [quay02]=12 [quay03]=13)
declare -gA REGION=([quay01]=a [quay02]=a [quay03]=b)
HOSTS=(db01 quay01 quay02 quay03)
NODES=(quay01 quay02 quay03)
MIRROR=quay01

say() { printf 'lab: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# One change at a time. Whatever lives on after this command must close the descriptor (9>&-), or it would hold the lock.
lock() {
  mkdir -p "$LAB"
  exec 9>"$LAB/lock"
  flock -n 9 || { say "another lab command runs, waiting for it"; flock 9; }
}

address() { printf '%s.%s' "$NET" "${OCTET[$1]}"; }

host_named() {
  [[ -n ${1:-} && -n ${OCTET[$1]:-} ]] || die "no host ${1:-given}: there are ${HOSTS[*]}"
}

# each FUNCTION HOST…: the function for all hosts at once; fails if one failed.
each() {
  local function=$1 host pid pids=() rc=0
  shift
  for host; do "$function" "$host" & pids+=($!); done
  for pid in "${pids[@]}"; do wait "$pid" || rc=1; done
  return "$rc"
}

# remove_tree PATH…: also what is still mounted below, deepest first; never a file of another disk.
remove_tree() {
  local path mounted
  for path; do
    while read -r mounted; do umount -l "$mounted" 2>/dev/null || true; done < <(awk -v top="$path/" 'index($2, top) == 1 { print $2 }' /proc/mounts | sort -r)
    ! grep -qF " $path/" /proc/mounts || die "something below $path is still mounted"
    rm -rf --one-file-system -- "$path"
  done
}

# digest_of FUNCTION… <text: one checksum over what the functions do and the text, to know whether what they built is still current.
digest_of() { { declare -f "$@"; cat; } | sha256sum | cut -d' ' -f1; }

# try SECONDS COMMAND…: until it succeeds.
try() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 0.2
  done
}
