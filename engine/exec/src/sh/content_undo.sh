# shellcheck shell=sh
# shellcheck disable=SC2154 # parameters come from the engine
# Puts the file back that a swap has replaced, if what is there is still what was written. Parameters: `path`; `was`,
# the digest of the old file or `absent`, as it was captured, or empty; `hidden`.

need sha256sum stat mktemp
follow

ours() { # whether the file is one that this run wrote
  [ -f "$target" ] || return 1
  written "$target"
  while IFS= read -r line; do
    if [ "$line" = "$rb_written" ]; then return 0; fi
  done 2>/dev/null <"$rb_store/file.wrote"
  return 1
}
still_ours() {
  ours || fail "$path was changed by somebody else after it was written, so it was left as it is"
}
adjust() { # FILE: owner, group and mode as they were
  chown -- "$1" "$3" || fail "it cannot be given to the owner $1"
  chgrp -- "$2" "$3" || fail "it cannot be given to the group $2"
  # last: a change of the owner takes some of it away
  chmod -- "$4" "$3" || fail "it cannot be given the mode $4"
}

if ! rb_is_kept file; then
  # the swap never came so far: then it is as it was
  rb_digest=absent
  if [ -e "$target" ]; then digest "$target"; fi
  [ "$rb_digest" = "$was" ] || fail "nothing is kept of $path here, and it is not as it was, so it was left as it is"
else
  rb_whole file
  if [ "$rb_was" = absent ]; then
    if [ -e "$target" ]; then
      still_ours
      rm -f -- "$target" || fail "$path cannot be removed"
    fi
  else
    # shellcheck disable=SC2086 # the words are `file`, owner, group, mode, size, digest
    set -- $rb_was
    if [ -f "$target" ] && digest "$target" && [ "$rb_digest" = "$6" ]; then
      adjust "$2" "$3" "$target" "$4"
    else
      still_ours
      temp=
      trap '[ -z "$temp" ] || rm -f -- "$temp"' EXIT
      trap 'exit 129' HUP
      trap 'exit 130' INT
      trap 'exit 143' TERM
      beside
      cat <"$rb_store/file" >"$temp" || fail "the text cannot be written in $dir"
      if ! digest "$temp" || [ "$rb_digest" != "$6" ]; then fail "the text did not arrive as it was kept"; fi
      adjust "$2" "$3" "$temp" "$4"
      context "$temp"
      rb_durable "$temp"
      still_ours
      mv -f -- "$temp" "$target"
      temp=
    fi
  fi
  rb_durable "$dir"
fi
