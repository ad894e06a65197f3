# shellcheck shell=bash
# The Quay nodes: their configuration, and the containers of the old version as the guide starts them.

# Files of a node, written to its disk before it boots.
node_disk() {
  local host=$1 root=$2
  install -d "$root/mnt/quay/config" "$root/mnt/quay/storage"
  node_config >"$root/mnt/quay/config/config.yaml"
  cp "$LAB/secrets/ssl.cert" "$LAB/secrets/ssl.key" "$root/mnt/quay/config/"
  chmod 0640 "$root"/mnt/quay/config/{config.yaml,ssl.key}
  # The stand-in cannot know the host that it runs on: a container's name is its id.
  printf '%s\n' "$host" >"$root/mnt/quay/storage/.node"
  chown -R 1001:0 "$root/mnt/quay"
  # What a reset brings back, whoever has changed the configuration.
  install -d -m 0700 "$root/root/lab"
  cp -a "$root/mnt/quay/config" "$root/root/lab/"
}

node_engine() {
  printf '  region_%s:\n    - RadosGWStorage\n    - hostname: db01\n      port: 8090\n      is_secure: false\n      storage_path: /datastorage/registry\n' "$1"
  printf '      access_key: lab\n      secret_key: %s\n      bucket_name: region_%s\n' "$(secret storage)" "$1"
}

node_config() {
  cat <<CONF
SETUP_COMPLETE: true
SERVER_HOSTNAME: $SERVER_HOSTNAME
PREFERRED_URL_SCHEME: https
EXTERNAL_TLS_TERMINATION: false
SECRET_KEY: $(secret session)
DATABASE_SECRET_KEY: $(secret encryption)
SUPER_USERS: [quayadmin]
FEATURE_USER_INITIALIZE: true
AUTHENTICATION_TYPE: Database
DB_URI: postgresql://quayuser:$(secret database)@db01:5432/quaydb
DB_CONNECTION_ARGS: { threadlocals: true, autorollback: true }
BUILDLOGS_REDIS: { host: db01, port: 6379, password: $(secret redis) }
USER_EVENTS_REDIS: { host: db01, port: 6379, password: $(secret redis) }
DISTRIBUTED_STORAGE_CONFIG:
$(node_engine a)
$(node_engine b)
DISTRIBUTED_STORAGE_PREFERENCE: [region_a, region_b]
DISTRIBUTED_STORAGE_DEFAULT_LOCATIONS: [region_a, region_b]
FEATURE_STORAGE_REPLICATION: true
FEATURE_REPO_MIRROR: true
FEATURE_MAILING: false
FEATURE_BUILD_SUPPORT: false
USERFILES_LOCATION: region_a
LOG_ARCHIVE_LOCATION: region_a
TESTING: false
LAB_MIGRATION_SECONDS: 2
CONF
}

# node_run HOST OPTION… -- ARGUMENT…: the old image with the configuration of the host.
node_run() {
  local host=$1 options=()
  shift
  while [[ $1 != -- ]]; do options+=("$1"); shift; done
  shift
  host_exec "$host" podman run "${options[@]}" -v /mnt/quay/config:/conf/stack:Z -v /mnt/quay/storage:/datastorage:Z "$IMAGE:$OLD" "$@" </dev/null
}

# The command of the guide, with a name.
node_start() {
  local host=$1 common=(--restart=always --sysctl net.core.somaxconn=4096 --privileged=true -d)
  node_run "$host" "${common[@]}" -p 443:8443 -p 80:8080 --name "$host" -- >/dev/null || return 1
  if [[ $host == "$MIRROR" ]]; then
    node_run "$host" "${common[@]}" -e QUAY_DISTRIBUTED_STORAGE_PREFERENCE=region_a --name mirror -- repomirror >/dev/null || return 1
  fi
}

node_pull() { host_exec "$1" podman pull -q "$IMAGE:$OLD" </dev/null >/dev/null; }

nodes_setup() { each node_pull "${NODES[@]}" || die "a host could not pull $IMAGE:$OLD"; }

node_status() {
  curl -s -o /dev/null -w '%{http_code}' --max-time 3 --cacert "$LAB/ca.pem" --resolve "$SERVER_HOSTNAME:443:$(address "$1")" "https://$SERVER_HOSTNAME/health/$2" 2>/dev/null || true
}
node_healthy() { [[ $(node_status "$1" instance) == 200 && $(node_status "$1" endtoend) == 200 ]]; }
node_wait() { try "$NODES_WAIT" node_healthy "$1" || { say "$1 is not healthy"; return 1; }; }

# nodes_healthy SECONDS: all nodes, waiting that long.
nodes_healthy() { NODES_WAIT=$1 each node_wait "${NODES[@]}"; }

# The only account of the registry: the one that pushes before it opens.
nodes_account() {
  printf '{"username":"smoke","email":"smoke@lab.test","password":"%s"}' "$(secret smoke)" |
    curl -fsS -o /dev/null --max-time 10 --cacert "$LAB/ca.pem" --resolve "$SERVER_HOSTNAME:443:$(address "${NODES[0]}")" -d @- "https://$SERVER_HOSTNAME/api/v1/user/initialize"
}
