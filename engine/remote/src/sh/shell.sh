# shellcheck shell=sh
# The long-lived shells: who am I, the loop of requests, checks, watching, files.
# Descriptor 4 is the channel's input. A request is one line `SEQ BYTES COMMAND`, then so many bytes; the next
# one comes only after the reply, because some `head` read further than they were asked to.

rb_where() { # where the state of this account lives, into RB
  [ -n "$RB" ] && return
  if [ "$rb_uid" = 0 ]; then
    RB=/var/lib/runbook
  elif [ -n "${HOME-}" ] && [ -d "$HOME" ] && [ -w "$HOME" ]; then
    RB=$HOME/.local/state/runbook
  else
    RB=/var/tmp/runbook-$rb_uid
  fi
}

rb_path() { # PATH with the usual places, without moving what is there
  for rb_d in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
    case ":${PATH-}:" in *":$rb_d:"*) ;; *) PATH=${PATH:+$PATH:}$rb_d ;; esac
  done
  export PATH
}

rb_hello() {
  printf '\n%s hello 1\n' "$rb_token"
  printf 'uid %s\nuser %s\nboot_id %s\n' "$rb_uid" "$(id -un 2>/dev/null)" "$rb_boot_id"
  rb_s=
  { IFS= read -r rb_s </etc/machine-id; } 2>/dev/null
  printf 'machine_id %s\n' "$rb_s"
  { IFS= read -r rb_s </proc/sys/kernel/hostname; } 2>/dev/null
  printf 'hostname %s\nshell %s\nstate_dir %s\n' "$rb_s" "$(readlink "/proc/$$/exe" 2>/dev/null)" "$RB"
  for rb_c in cat date head id kill ln ls mkdir mkfifo mv rm setsid sleep tail; do
    command -v "$rb_c" >/dev/null 2>&1 || printf 'missing %s\n' "$rb_c"
  done
  rb_birth $$ || printf 'missing /proc\n'
  printf 'clock %s\n' "$(date +%s.%N)"
}

rb_main() {
  rb_uid=$(id -u)
  rb_where
  rb_path
  exec 4<&0 </dev/null
  rb_hello
  printf '%s end 0 0\n' "$rb_token"
  while IFS=' ' read -r rb_seq rb_bytes rb_cmd <&4; do
    if [ "$rb_bytes" -gt 0 ]; then
      head -c "$rb_bytes" <&4 | (
        eval "$rb_cmd"
        rb_c=$?
        cat >/dev/null
        exit $rb_c
      )
    else
      eval "$rb_cmd"
    fi
    rb_c=$?
    printf '\n%s end %s %s\n' "$rb_token" "$rb_seq" "$rb_c"
  done
  exit 0
}

rb_own_dir() { # a directory that is ours and nobody else's
  mkdir -p -- "$1" 2>/dev/null
  case $1 in /var/tmp/*) [ ! -h "$1" ] || { rb_io "$1 is a symbolic link"; return 1; } ;; esac
  rb_dir=$1
  # shellcheck disable=SC2046,SC2012
  set -- $(ls -lnd -- "$rb_dir/." 2>/dev/null)
  [ "${3-none}" = "$rb_uid" ] || { rb_io "$rb_dir cannot be made, or is not owned by this account"; return 1; }
  case $1 in drwx------* | drwx--S---*) ;; *) chmod 700 "$rb_dir" || { rb_io "$rb_dir is open to others"; return 1; } ;; esac
}

rb_take_epoch() { # run epoch: from here on, no earlier controller
  rb_fence "$1" "$2" || return 1
  # a name for each epoch: made at once, never rewritten, the highest holds
  true 2>/dev/null >"$RB/runs/$1/epoch/$2" || { rb_io "cannot write to $RB"; return 1; }
  rb_fence "$1" "$2"
}

rb_ready() { # run epoch: directories, the epoch, the library for wrappers
  rb_own_dir "$RB" || return 1
  mkdir -p -- "$RB/lib" "$RB/watch" "$RB/runs/$1/jobs" "$RB/runs/$1/epoch" || { rb_io "cannot write to $RB"; return 1; }
  rb_take_epoch "$1" "$2" || return 1
  if [ ! -f "$RB/lib/$rb_hash.sh" ]; then
    rb_f=$RB/lib/.$rb_hash.$$
    if ! { rb_text "$rb_lib" >"$rb_f" && printf '\nrb_file "$@"\n' >>"$rb_f"; } 2>/dev/null || ! mv "$rb_f" "$RB/lib/$rb_hash.sh"; then
      rb_io "cannot write to $RB/lib, is the disk full?"
      return 1
    fi
  fi
}

rb_canary() { # a detached process that must outlive this shell and its connection
  # shellcheck disable=SC2086
  setsid $RB_SH -c 'sleep 60' </dev/null >/dev/null 2>&1 4<&- &
  rb_p=$!
  rb_birth "$rb_p" && printf 'canary %s %s %s\n' "$rb_p" "$rb_born" "$rb_boot_id"
}

rb_canary_lives() { # pid start boot
  rb_alive "$1" "$2" "$3" || { echo 'error canary'; return 1; }
  kill -s KILL -- "-$1" 2>/dev/null
  return 0
}

rb_signal_group() { # pid start signal: a check that took too long
  rb_alive "$1" "$2" "$rb_boot_id" && kill -s "$3" -- "-$1" 2>/dev/null
  return 0
}

# What a check's own shell does: says who it is, takes exactly its script, gives up its input, runs it.
# A script without its last line was cut on the way and is not run.
# shellcheck disable=SC2016
rb_check_start='
{ IFS= read -r rb_s <"/proc/$$/stat"; } 2>/dev/null
printf "stat - %s\0" "$rb_s" >&3
rb_s=$(head -c "$1")
case $rb_s in *"# end of script") ;; *) exit 126 ;; esac
exec </dev/null
set --
eval "$rb_s"'

rb_check() { # seconds bytes: records as they come, ended by NUL; what it prints goes to stderr
  printf '\n%s check %s\n' "$rb_token" "$rb_seq"
  # shellcheck disable=SC2086
  setsid $RB_SH -c "$rb_check_start" rb "$2" <&4 3>&1 1>&2 4<&- &
  rb_p=$!
  (
    # for the case that the controller is gone; while it is there, it ends the check itself
    rb_i=0
    while [ "$rb_i" -lt "$1" ]; do
      sleep 1 || exit
      rb_i=$((rb_i + 1))
    done
    kill -s TERM -- "-$rb_p"
    sleep 2
    kill -s KILL -- "-$rb_p"
  ) </dev/null >/dev/null 2>&1 4<&- &
  rb_dog=$!
  wait "$rb_p" 2>/dev/null
  rb_c=$?
  { kill -s KILL "$rb_dog"; wait "$rb_dog"; kill -s KILL -- "-$rb_p"; } 2>/dev/null
  # shellcheck disable=SC2059
  printf "\0$rb_token $rb_seq\0" >&2
  # shellcheck disable=SC2059
  printf "\0$rb_token done $rb_seq $rb_c\0"
}

rb_watch() { # on a channel of its own: one line for each attempt that ends
  rb_own_dir "$RB" || return 1
  mkdir -p -- "$RB/watch" || { rb_io "cannot write to $RB"; return 1; }
  set +f
  for rb_f in "$RB/watch"/*; do
    rb_s=${rb_f##*/}
    rb_birth "${rb_s%%-*}" 2>/dev/null
    [ "$rb_born" = "${rb_s#*-}" ] || rm -f -- "$rb_f"
  done
  set -f
  rb_birth $$
  rb_f=$RB/watch/$$-$rb_born
  mkfifo "$rb_f" || { rb_io "cannot make $rb_f"; return 1; }
  cat <>"$rb_f" 4<&- &
  rb_p=$!
  printf '\n%s end %s 0\n' "$rb_token" "$rb_seq"
  while read -r _ <&4; do :; done # until the channel closes
  rm -f -- "$rb_f"
  kill "$rb_p"
  exit 0
}

rb_get() { # file: all of it, then the status on stderr; the channel ends
  if [ ! -f "$1" ] || [ ! -r "$1" ]; then
    printf '\n%s end %s 1\n' "$rb_token" "$rb_seq"
    exit 1
  fi
  exec 5<"$1"
  printf '\n%s end %s 0\n' "$rb_token" "$rb_seq"
  cat <&5
  rb_c=$?
  # shellcheck disable=SC2059
  printf "\0$rb_token $rb_c\0" >&2
  exit 0
}

rb_put() { # temporary file: takes the rest of the channel's input
  rb_c=none
  set -C
  {
    set +C
    printf '\n%s end %s 0\n' "$rb_token" "$rb_seq"
    cat <&4 >&5
    rb_c=$?
  } 5>"$1"
  set +C
  [ "$rb_c" != none ] || { rb_io "cannot make $1"; return 1; }
  # shellcheck disable=SC2046,SC2012
  set -- "$1" $(ls -lnd -- "$1" 2>/dev/null)
  printf '\nsize %s\n' "${6-0}"
  command -v sha256sum >/dev/null 2>&1 && printf 'sha256 %s\n' "$(sha256sum <"$1")"
  sync "$1" 2>/dev/null
  printf '\n%s end put %s\n' "$rb_token" "$rb_c"
  exit 0
}

rb_sweep() { # file: temporary files of it that nobody put in place; they may be as large as the file
  set +f
  for rb_f in "$1".rb????????????????????????????????; do
    set -f
    case ${rb_f##*.rb} in *[!0-9a-f]*) continue ;; esac
    if [ -f "$rb_f" ] && [ ! -h "$rb_f" ]; then rm -f -- "$rb_f"; fi
  done
  set -f
  return 0
}

rb_give() { # file, mode, owner, group: those that are empty stay as they are
  # the mode comes last: whoever gets the file may not read more of it on the way, and a new owner takes bits away
  if [ -n "$3" ]; then chown -- "$3" "$1" || { rb_io "$1 cannot be given to the owner $3"; return 1; }; fi
  if [ -n "$4" ]; then chgrp -- "$4" "$1" || { rb_io "$1 cannot be given to the group $4"; return 1; }; fi
  if [ -n "$2" ]; then chmod -- "$2" "$1" || { rb_io "$1 cannot be given the mode $2"; return 1; }; fi
}

rb_commit() { # temporary file, file, mode, owner, group
  if rb_give "$1" "$3" "$4" "$5"; then
    mv -f -- "$1" "$2" && return 0
    rb_io "cannot put $2 in place"
  fi
  rm -f -- "$1"
  return 1
}
