# shellcheck shell=bash
# db01: PostgreSQL, Redis, the load balancer, and a WebDAV server that stands for the object gateways of both regions.
# The stand-ins' events are in a database of their own (`lab`): a dump, a restore or a new `quaydb` does not touch them.

# Files of db01, written to its disk before it boots.
database_disk() {
  local root=$1 wants=$1/etc/systemd/system/multi-user.target.wants
  cat >"$root/etc/postgresql/15/main/conf.d/lab.conf" <<'CONF'
listen_addresses = '*'
password_encryption = 'scram-sha-256'
max_connections = 200
# A node that lost its power or its cable is noticed soon.
tcp_keepalives_idle = 5
tcp_keepalives_interval = 1
tcp_keepalives_count = 4
# The disk does not outlive this machine: no need to wait for it.
fsync = off
CONF
  printf 'host all quayuser %s.0/24 scram-sha-256\n' "$NET" >>"$root/etc/postgresql/15/main/pg_hba.conf"
  sed -i -e 's/^bind .*/bind 0.0.0.0/' -e 's/^protected-mode .*/protected-mode no/' "$root/etc/redis/redis.conf"
  printf 'requirepass %s\n' "$(secret redis)" >>"$root/etc/redis/redis.conf"

  mkdir -p "$root"/srv/objects/{region_a,region_b}
  chroot "$root" chown -R www-data: /srv/objects
  rm -f "$root/etc/nginx/sites-enabled/default"
  cat >"$root/etc/nginx/sites-enabled/objects" <<'CONF'
server {
  listen 8090;
  root /srv/objects;
  client_max_body_size 0;
  location / { dav_methods PUT DELETE; create_full_put_path on; }
}
CONF
  # The workers of nginx cannot raise their limits here, and two are plenty.
  sed -i 's/^worker_processes .*/worker_processes 2;/' "$root/etc/nginx/nginx.conf"
  database_balancer >"$root/etc/haproxy/haproxy.cfg"
  local unit
  for unit in postgresql redis-server nginx haproxy; do ln -sfn "/lib/systemd/system/$unit.service" "$wants/$unit.service"; done
}

# The load balancer of the guide, without its mistakes: TLS is passed through, and a node is up when it says that it is.
# The socket is where RHEL has it. Checks come more often than in life, so that a test does not wait for them.
database_balancer() {
  local name port host
  cat <<'CONF'
global
  log /dev/log local0
  user haproxy
  group haproxy
  maxconn 500
  stats socket /var/lib/haproxy/stats mode 660 level admin
defaults
  mode tcp
  log global
  option tcplog
  option dontlognull
  retries 3
  timeout connect 5s
  timeout client 1m
  timeout server 1m
CONF
  for name in http:80 https:443; do
    port=${name#*:} name=${name%:*}
    printf 'frontend fe_%s\n  bind *:%s\n  default_backend be_%s\nbackend be_%s\n  balance leastconn\n' "$name" "$port" "$name" "$name"
    printf '  option httpchk GET /health/instance\n  http-check expect status 200\n'
    printf '  default-server check check-ssl port 443 verify none inter 2s fall 2 rise 1\n'
    for host in "${NODES[@]}"; do printf '  server %s %s:%s\n' "$host" "$(address "$host")" "$port"; done
  done
}

# All servers take sessions, whatever a run left; then every node is up behind it.
database_balancer_reset() {
  # shellcheck disable=SC2016 # expands on the host
  host_script db01 nodes="${NODES[*]}" <<'SH'
systemctl is-active -q haproxy || systemctl restart haproxy
for backend in be_http be_https; do
  for node in $nodes; do
    answer=$(echo "set server $backend/$node state ready" | socat - UNIX-CONNECT:/var/lib/haproxy/stats)
    test -z "$answer" || { echo "$answer" >&2; exit 1; }
  done
done
SH
}

database_balancer_up() {
  local up
  up=$(host_exec db01 'echo "show stat" | socat - UNIX-CONNECT:/var/lib/haproxy/stats' </dev/null | awk -F, '$1 ~ /^be_/ && $2 !~ /END$/ && $18 == "UP"' | wc -l)
  ((up == 2 * ${#NODES[@]}))
}

# SQL as the superuser; the answer without decoration, columns parted by tabs.
database_sql() {
  local database=$1
  host_exec db01 "cd / && exec runuser -u postgres -- env PGOPTIONS=--client-min-messages=warning psql -X -q -v ON_ERROR_STOP=1 -At -F '	' -d $database -f -"
}

database_answers() { database_sql postgres <<<'select 1' >/dev/null 2>&1; }

database_setup() {
  try 30 database_answers || die "PostgreSQL on db01 does not answer"
  # The password goes over standard input, as text that only hexadecimal digits make.
  database_sql postgres <<SQL
do \$\$ begin
  if not exists (select from pg_roles where rolname = 'quayuser') then create role quayuser; end if;
end \$\$;
alter role quayuser with login password '$(secret database)';
select 'create database lab' where not exists (select from pg_database where datname = 'lab') \\gexec
SQL
  database_sql lab <<'SQL'
create table if not exists lab_event (
  id bigserial primary key, at timestamptz not null default clock_timestamp(), node text not null, container text not null,
  version text not null, mode text not null, event text not null, detail text not null default '');
grant insert, select on lab_event to quayuser;
grant usage on sequence lab_event_id_seq to quayuser;
SQL
}

# The schema of the old version, made once by the old image itself, kept as a template.
database_template() {
  [[ $(database_sql postgres <<<"select 1 from pg_database where datname = 'lab_template' and datistemplate") != 1 ]] || return 0
  database_sql postgres <<<'drop database if exists quaydb with (force); create database quaydb owner quayuser;'
  database_sql quaydb <<<'create extension if not exists pg_trgm;'
  node_run quay01 --rm --name lab-schema -- migrate head >"$LAB/hosts/schema.log" 2>&1 || die "the old image could not make its schema: $(tail -n 3 "$LAB/hosts/schema.log")"
  database_sql postgres <<<'alter database quaydb rename to lab_template; alter database lab_template with is_template true;'
}

# Everything that runs of an earlier test made: databases kept aside by a rollback too, and what was pushed.
database_reset() {
  database_sql postgres <<'SQL'
alter role quayuser with login connection limit -1;
select format('drop database %I with (force)', datname) from pg_database where datname like 'quaydb%' \gexec
create database quaydb owner quayuser template lab_template strategy file_copy;
SQL
  host_exec db01 'rm -rf /var/backups/quay/* /var/backups/quay/.[!.]*; install -d -m 0700 -o postgres -g postgres /var/backups/quay; rm -rf /srv/objects/*/*'
}

database_forget_events() { database_sql lab <<<'truncate lab_event restart identity'; }

database_events() {
  printf 'id\tat\tnode\tcontainer\tversion\tmode\tevent\tdetail\n'
  database_sql lab <<'SQL'
select id, to_char(at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), node, container, version, mode, event,
  regexp_replace(detail, '[[:cntrl:]]+', ' ', 'g') from lab_event order by id
SQL
}
