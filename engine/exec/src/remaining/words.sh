# shellcheck shell=sh
differs() { printf 'differs: %s\n' "$*"; }
output() { printf 'output %s: %s\n' "$1" "$2"; }
before() { printf 'it was so before: %s: %s\n' "$1" "$2"; }
before_file() { printf 'keep a copy of %s: going back needs it\n' "$2"; }
skip() {
  printf 'nothing to do here: %s\n' "$*"
  exit 0
}
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
need() {
  for rb_word in "$@"; do
    have "$rb_word" || fail "the command $rb_word is not installed here"
  done
}
json_string() {
  printf '%s\n' "$1" | awk '
    { gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); printf "%s%s", (NR > 1 ? "\\n" : "\""), $0 }
    END { printf "\"" }'
}
json_list() {
  rb_sep='['
  [ $# -gt 0 ] || printf '['
  for rb_word in "$@"; do
    printf '%s' "$rb_sep"
    json_string "$rb_word"
    rb_sep=,
  done
  printf ']'
}
as_the_engine_does() {
  set -eu
  umask 077
  LC_ALL=C
  export LC_ALL
  cd /
}
