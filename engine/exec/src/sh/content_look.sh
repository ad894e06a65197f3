# shellcheck shell=sh
# shellcheck disable=SC2154 # parameters come from the engine
# What is at a path. Parameters: `path`; `want`, the digest of the wanted text; `most`, the largest text that is sent,
# in bytes; `hidden`; `change`, true where the wanted text is made of what is there, which is always sent then.

need sha256sum stat
if [ -d "$path" ]; then fail "$path is a directory"; fi
if [ -e "$path" ]; then
  [ -f "$path" ] || fail "$path is not a file"
  [ -r "$path" ] || fail "$path cannot be read by this account"
fi
# which version it is comes first: what is read after a change is not taken for what was there before
seen "$path"
output seen "$rb_seen"
if [ "$rb_seen" = absent ]; then
  output state absent
else
  output state file
  # shellcheck disable=SC2046 # six words, without blanks in them
  set -- $(stat -L -c '%a %U %u %G %g %s' -- "$path")
  output mode "$1"
  output owner "$2"
  output uid "$3"
  output group "$4"
  output gid "$5"
  output size "$6"
  if [ "$hidden" = true ]; then digest "$path"; fi
  sum=$rb_digest
  output sha256 "$sum"
  send=no
  if [ "$change" = true ]; then
    send=yes
  elif [ "$hidden" != true ] && [ "$sum" != "$want" ]; then
    send=yes
  fi
  if [ "$send" = yes ] && [ "$6" -le "$most" ]; then
    # no shell can hold NUL
    bare=$(tr -d '\000' <"$path" | wc -c)
    if [ "$((bare))" -eq "$6" ]; then
      now=$(cat -- "$path" && echo x)
      output text "${now%x}"
    fi
  fi
fi
