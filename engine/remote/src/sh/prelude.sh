# shellcheck shell=sh
# What every script of a step type can call. Records go to descriptor 3, one `KIND NAME VALUE` each, ended by
# NUL: written from a subshell or a pipe they arrive all the same.
set -eu
umask 077
LC_ALL=C
export LC_ALL
cd /

case ${KSH_VERSION-} in
*MIRBSD* | *LEGACY*)
  # printf is a program there, and programs show their arguments
  # shellcheck disable=SC3037
  rb_text() { print -rn -- "$1"; }
  # shellcheck disable=SC3037
  rb_record() { print -rn -- "$1 $2 $3" >&3 && print -n '\0' >&3; }
  ;;
*)
  rb_text() { printf '%s' "$1"; }
  rb_record() { printf '%s %s %s\0' "$1" "$2" "$3" >&3; }
  ;;
esac

put() { rb_text "$1"; } # TEXT: prints it as it is, and never as an argument of a program
differs() { rb_record differs - "$*"; }
output() { rb_record output "$1" "$2"; }
before() { rb_record before "$1" "$2"; }
before_file() { # NAME FILE: it is kept for undo before the first change, or that it is not there
  case $1 in
  [!a-z]* | *[!a-z0-9_]* | '') fail "before_file: \`$1\` is not a name" ;;
  esac
  [ ${#1} -le 40 ] || fail "before_file: the name \`$1\` is too long"
  case $2 in
  /*) ;;
  *) fail "before_file: \`$2\` is not a path from /" ;;
  esac
  need sha256sum stat
  rb_file_now "$2"
  rb_record before "file:$1" "$rb_now $2"
}
rb_file_now() { # FILE: what is there, into rb_now, and its bytes into rb_bytes; only what can be kept for undo
  if [ -L "$1" ]; then fail "$1 is a symbolic link, which is not kept for undo"; fi
  rb_now=absent rb_bytes=0
  if [ ! -e "$1" ]; then return 0; fi
  [ -f "$1" ] || fail "$1 is not a regular file, which is all that is kept for undo"
  [ -r "$1" ] || fail "$1 cannot be read by this account, so it cannot be kept for undo"
  rb_now=$(stat -c '%u %g %a %s' -- "$1")
  rb_bytes=${rb_now##* }
  if [ ${#rb_bytes} -gt 8 ] || [ "$rb_bytes" -gt 16777216 ]; then
    fail "$1 has $rb_bytes bytes, and no more than 16 MiB are kept for undo"
  fi
  rb_sum=$(sha256sum <"$1")
  rb_now="file $rb_now ${rb_sum%% *}"
}
skip() {
  rb_record skip - "$*"
  exit 0
}
fail() {
  rb_record fail - "$*"
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
need() {
  for rb_word in "$@"; do
    have "$rb_word" || fail "the command \`$rb_word\` is not installed here"
  done
}
json_string() {
  case $1 in
  *[!A-Za-z0-9\ _./:,=+@%-]*)
    rb_text "$1
" | awk '
      BEGIN {
        for (i = 1; i < 32; i++) code[sprintf("%c", i)] = sprintf("\\u%04x", i)
        code["\""] = "\\\""; code["\\"] = "\\\\"
      }
      {
        line = ""
        for (i = 1; i <= length($0); i++) { c = substr($0, i, 1); line = line ((c in code) ? code[c] : c) }
        printf "%s%s", (NR > 1 ? "\\n" : "\""), line
      }
      END { printf "\"" }'
    ;;
  *) rb_text "\"$1\"" ;;
  esac
}
json_list() {
  rb_sep='['
  [ $# -gt 0 ] || rb_text '['
  for rb_word in "$@"; do
    rb_text "$rb_sep"
    json_string "$rb_word"
    rb_sep=,
  done
  rb_text ']'
}
