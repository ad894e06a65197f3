# shellcheck shell=sh
# shellcheck disable=SC2154 # parameters come from the engine
seen() { # path: fails where it cannot be told whether it is there
  rb_at=$1
  while [ ! -e "$rb_at" ]; do
    [ ! -L "$rb_at" ] || fail "$rb_at is a link to nothing"
    rb_up=${rb_at%/*}
    rb_at=${rb_up:-/}
  done
  [ "$rb_at" = "$1" ] || [ ! -d "$rb_at" ] || [ -x "$rb_at" ] || fail "this account cannot look into $rb_at"
}
