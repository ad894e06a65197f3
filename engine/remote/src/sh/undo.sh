# shellcheck shell=sh
# shellcheck disable=SC2154 # the engine sets rb_store; the prelude sets what is found of a file
# Files as they were before the first change of an instance, kept for its undo. `rb_store` is the directory of the
# instance. A file is kept once NAME.was is whole: one line, `absent` or `file UID GID MODE SIZE SHA256`. The copy is
# NAME, which is durable by then.

rb_durable() { # FILE...: as far as this system can, because an old `sync` knows no files
  sync -- "$@" 2>/dev/null || :
}

rb_is_kept() { # NAME: with what is on record of it in rb_was
  rb_was=
  { IFS= read -r rb_was <"$rb_store/$1.was"; } 2>/dev/null || return 1
  case $rb_was in absent | 'file '*) ;; *) return 1 ;; esac
}

rb_stale() { # FILE: it is another one than the check saw, so nothing is done
  rb_record stale - "$1 was changed after it was looked at"
  exit 1
}

rb_store_bytes() { # what the run keeps here
  stat -c %s -- "${rb_store%/*}"/*/* 2>/dev/null | awk '{ n += $1 } END { printf "%d", n }'
}

rb_room() { # WHAT: for rb_bytes more
  need awk stat
  rb_all=$(rb_store_bytes)
  [ $((rb_all + rb_bytes)) -le 268435456 ] ||
    fail "$1 cannot be kept for undo: this run keeps $rb_all bytes here, and 256 MiB are the most"
}

rb_keep() { # NAME FILE STATE: keeps a file, unless that was done already; without a state, whatever is there
  rb_put_aside "$@"
  rb_durable "$rb_store/$1.was" "$rb_store" "${rb_store%/*}" "${rb_store%/*/*}"
}

rb_put_aside() { # NAME FILE STATE: as rb_keep, and the caller makes it durable before anything is done
  if rb_is_kept "$1"; then return 0; fi
  need awk sha256sum stat
  rb_file_now "$2"
  if [ -n "$3" ] && [ "$rb_now" != "$3" ]; then rb_stale "$2"; fi
  [ -d "$rb_store" ] || mkdir -p -- "$rb_store" 2>/dev/null || fail "$2 cannot be kept for undo: no directory can be made for it"
  if [ "$rb_now" != absent ]; then
    rb_room "$2"
    { cat <"$2" >"$rb_store/$1.part"; } 2>/dev/null || fail "$2 cannot be kept for undo: is the disk full?"
    rb_sum=$(sha256sum <"$rb_store/$1.part")
    if [ "${rb_sum%% *}" != "${rb_now##* }" ]; then rb_stale "$2"; fi
    rb_durable "$rb_store/$1.part"
    mv -f -- "$rb_store/$1.part" "$rb_store/$1"
  fi
  rb_keep_state "$1" "$2"
}

rb_keep_state() { # NAME WHAT: last, and whole: before it is there, nothing is kept
  { rb_text "$rb_now
" >"$rb_store/$1.was.part"; } 2>/dev/null || fail "$2 cannot be kept for undo: is the disk full?"
  mv -f -- "$rb_store/$1.was.part" "$rb_store/$1.was"
}

keep_text() { # NAME TEXT: keeps a text for the undo, on this host alone, unless that was done already: for what no journal may hold
  case $1 in
  [!a-z]* | *[!a-z0-9_]* | '') fail "keep_text: \`$1\` is not a name" ;;
  esac
  if rb_is_kept "$1"; then return 0; fi
  need sha256sum stat
  [ -d "$rb_store" ] || mkdir -p -- "$rb_store" 2>/dev/null || fail "\`$1\` cannot be kept for undo: no directory can be made for it"
  rb_bytes=${#2}
  rb_room "$1"
  { rb_text "$2" >"$rb_store/$1.part"; } 2>/dev/null || fail "\`$1\` cannot be kept for undo: is the disk full?"
  rb_file_now "$rb_store/$1.part"
  rb_durable "$rb_store/$1.part"
  mv -f -- "$rb_store/$1.part" "$rb_store/$1"
  rb_keep_state "$1" "$1"
  rb_durable "$rb_store/$1.was" "$rb_store" "${rb_store%/*}" "${rb_store%/*/*}"
}

kept_text() { # NAME: a text that was kept, into kept; false if nothing was, so that nothing was changed either
  rb_is_kept "$1" || return 1
  rb_whole "$1"
  # the letter keeps the ends of lines at its end
  kept=$(cat <"$rb_store/$1" && rb_text x) || fail "what is kept of \`$1\` cannot be read"
  kept=${kept%x}
}

rb_whole() { # NAME: what was kept of it, into rb_was, after the copy is compared with it
  rb_is_kept "$1" || fail "nothing is kept of \`$1\` here"
  if [ "$rb_was" = absent ]; then return 0; fi
  need sha256sum
  rb_sum=$(sha256sum <"$rb_store/$1") || fail "what is kept of \`$1\` cannot be read"
  [ "${rb_sum%% *}" = "${rb_was##* }" ] || fail "what is kept of \`$1\` is not what it was"
}

rb_kept() { # NAME STATE: makes sure of what an undo is going to use
  rb_whole "$1"
  [ "$rb_was" = "$2" ] || fail "what is kept of \`$1\` is not what is on record"
}
