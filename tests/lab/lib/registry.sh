# shellcheck shell=bash
# The image registry on the bridge. Hosts reach it under the name that the images have in real life.

registry_address() { printf '%s.1:5010' "$NET"; }

# Its process, found by the configuration that it was started with.
registry_pid() { pgrep -f -x "docker-registry serve $LAB/registry/config.yml" | head -n 1 || true; }

registry_answers() { curl -fsS -o /dev/null --max-time 2 "http://$(registry_address)/v2/" 2>/dev/null; }

registry_start() {
  mkdir -p "$LAB/registry/data"
  if [[ -n $(registry_pid) ]] && registry_answers; then return 0; fi
  registry_stop
  cat >"$LAB/registry/config.yml" <<CONF
version: 0.1
log: { level: warn, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: $LAB/registry/data }, delete: { enabled: true } }
http: { addr: "$(registry_address)" }
CONF
  setsid docker-registry serve "$LAB/registry/config.yml" </dev/null >"$LAB/registry/log" 2>&1 9>&- &
  disown
  try 10 registry_answers || die "the image registry does not answer, see $LAB/registry/log"
}

registry_stop() {
  local pid
  pid=$(registry_pid)
  [[ -z $pid ]] || { kill "$pid" && try 10 registry_stopped; } || die "the image registry does not stop"
}
registry_stopped() { [[ -z $(registry_pid) ]]; }

# registry_digest VERSION [NAME]: of the stand-in, unless another image is named.
registry_digest() {
  local name=${2:-$IMAGE}
  curl -fsS -o /dev/null -D - --max-time 5 -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
    "http://$(registry_address)/v2/${name#*/}/manifests/$1" 2>/dev/null | tr -d '\r' | sed -n 's/^[Dd]ocker-[Cc]ontent-[Dd]igest: //p'
}
