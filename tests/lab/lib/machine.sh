# shellcheck shell=bash
# The packages that the machine itself needs, from the package sources that it has.

MACHINE_PACKAGES=(mmdebstrap systemd-container iproute2 openssh-client docker-registry skopeo buildah openssl curl e2fsprogs procps)

machine_packages() {
  local missing=() name
  for name in "${MACHINE_PACKAGES[@]}"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || missing+=("$name")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  say "installing ${missing[*]}"
  mkdir -p "$LAB"
  {
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends "${missing[@]}"
  } >"$LAB/apt.log" 2>&1 </dev/null 9>&- || die "apt-get failed: $(tail -n 3 "$LAB/apt.log")"
  # The package starts a registry of its own where systemd runs; the lab starts one on its bridge.
  if [[ -d /run/systemd/system ]]; then systemctl disable --quiet --now docker-registry 2>/dev/null || true; fi
}

# The package sources of this machine for the suite, as mmdebstrap reads them.
machine_sources() {
  # shellcheck disable=SC2016 # apt expands these names, not the shell
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
    awk -v suite="$SUITE" '$4 == "Debian" && $3 == "main" && ($2 == suite || index($2, suite "-") == 1) { print "deb", $1, $2, $3 }' | sort -u
}

# machine_tree DIRECTORY OPTION…: a Debian tree by mmdebstrap.
machine_tree() {
  local tree=$1 sources
  shift
  sources=$(machine_sources)
  [[ -n $sources ]] || die "no package source for $SUITE on this machine: the lab needs a Debian 12"
  mmdebstrap --quiet --mode=root --format=directory "$@" "$SUITE" "$tree" <<<"$sources" >"$tree.log" 2>&1 9>&- ||
    die "mmdebstrap failed: $(tail -n 3 "$tree.log")"
}

# All hosts share what one account may watch of files, and each systemd takes some of it: without enough, one does not start.
machine_limits() {
  local limit=/proc/sys/fs/inotify/max_user_instances
  (($(<"$limit") >= 1024)) || echo 1024 >"$limit"
}
