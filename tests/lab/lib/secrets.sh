# shellcheck shell=bash
# Passwords, the certificate authority and the certificate of the registry: made once, kept until `lab clean`.

SERVER_HOSTNAME=registry.lab.test

secret() { cat "$LAB/secrets/$1"; }

secrets_make() {
  local name dir=$LAB/secrets
  install -d -m 0700 "$dir"
  for name in database redis encryption session storage smoke; do
    [[ -s $dir/$name ]] || (umask 077 && openssl rand -hex 16 >"$dir/$name")
  done
  # Also when less than 60 days are left: the runbook looks at that.
  if ! openssl x509 -checkend 5184000 -noout -in "$dir/ssl.cert" >/dev/null 2>&1; then
    {
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj '/CN=Lab CA' -keyout "$dir/ca.key" -out "$dir/ca.pem"
      openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$SERVER_HOSTNAME" -keyout "$dir/ssl.key" -out "$dir/ssl.csr"
      openssl x509 -req -in "$dir/ssl.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 800 -out "$dir/leaf.pem" \
        -extfile <(printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$SERVER_HOSTNAME")
    } 2>"$LAB/openssl.log" || die "no certificate: $(tail -n 2 "$LAB/openssl.log")"
    cat "$dir/leaf.pem" "$dir/ca.pem" >"$dir/ssl.cert"
  fi
  cp "$dir/ca.pem" "$LAB/ca.pem"
}
