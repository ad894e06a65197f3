# shellcheck shell=sh
# Attempts as the control shell sees them: prepare, launch, look, read, cancel, forget. Nothing here waits.

rb_may() { # run epoch boot: whether this controller may start something here now; sets rb_lib_file
  [ "$3" = "$rb_boot_id" ] || { printf 'error reboot %s\n' "$rb_boot_id"; return 1; }
  rb_lib_file=$RB/lib/$rb_hash.sh
  if [ ! -f "$rb_lib_file" ] || [ ! -d "$RB/runs/$1/epoch" ]; then
    echo 'error unready'
    return 1
  fi
  rb_epoch_of "$1"
  [ "$rb_e" -eq "$2" ] || { printf 'error fenced %s\n' "$rb_e"; return 1; }
}

rb_secret_file() { # run attempt: a file in memory into rb_secret
  rb_tmpfs || { echo 'error no_tmpfs'; return 1; }
  rb_secret=$rb_shm/runbook-$rb_uid-$1-$2
}

rb_secrets() { # run attempt epoch boot bytes; secrets on stdin: kept in memory until the payload has them
  rb_may "$1" "$3" "$4" && rb_secret_file "$1" "$2" || return 1
  rb_job_dir "$1" "$2"
  [ -e "$rb_j/claim" ] && return
  rm -f -- "$rb_secret"
  (set -C && cat >"$rb_secret") 2>/dev/null || { rb_io "cannot write $rb_secret"; return 1; }
  rb_size "$rb_secret"
  [ "$rb_n" = "$5" ] || { rm -f -- "$rb_secret"; rb_io 'the secrets arrived incomplete'; return 1; }
}

rb_job() { # run attempt epoch boot timeout max-output bytes secrets(yes|no); script on stdin. Any number of times.
  rb_secret=-
  if rb_may "$1" "$3" "$4" && { [ "$8" = no ] || rb_secret_file "$1" "$2"; } && rb_prepare "$@"; then
    # shellcheck disable=SC2086
    [ -e "$rb_j/claim" ] || setsid $RB_SH "$rb_lib_file" "$RB_SH" "$RB" wrap "$1" "$2" </dev/null >/dev/null 2>&1 3>&- 4<&- &
    # repeated when the payload has its secrets already: nobody will fetch these
    [ "$rb_secret" = - ] || [ ! -e "$rb_j/pid" ] || rm -f -- "$rb_secret"
    rb_state "$1" "$2"
  else
    [ "$rb_secret" = - ] || rm -f -- "$rb_secret"
    return 1
  fi
}

rb_prepare() { # as rb_job
  rb_job_dir "$1" "$2"
  [ -e "$rb_j/claim" ] && return
  mkdir -p -- "$rb_j" || { rb_io "cannot make $rb_j"; return 1; }
  cat >"$rb_j/run.$$"
  rb_size "$rb_j/run.$$"
  # a cut connection ends the upload early: what is not whole is never launched
  [ "$rb_n" = "$7" ] || { rm -f "$rb_j/run.$$"; rb_io "the script arrived incomplete or the disk of $rb_j is full"; return 1; }
  # the block that the result needs is reserved now, so a full disk later cannot lose the status;
  # by link: a second preparation must not truncate what a running wrapper is about to fill
  # (`true`, because a shell may end when the redirection of `:` fails)
  { echo "$5 $6 $3 $rb_secret" >"$rb_j/limit.$$" && true >>"$rb_j/out" && true >>"$rb_j/err" && true >>"$rb_j/rec" &&
    printf '%-200s\n' reserved >"$rb_j/.result.$$"; } 2>/dev/null || { rb_io "cannot write to $rb_j"; return 1; }
  ln "$rb_j/.result.$$" "$rb_j/.result" 2>/dev/null
  rm -f "$rb_j/.result.$$"
  if { [ ! -e "$rb_j/.result" ] && [ ! -e "$rb_j/result" ]; } || ! mv -f "$rb_j/limit.$$" "$rb_j/limit" ||
    ! mv -f "$rb_j/run.$$" "$rb_j/run"; then
    rb_io "cannot write to $rb_j"
    return 1
  fi
}

rb_result() { # reads a complete result of rb_j into rb_rc and rb_why
  rb_rc='' rb_why='' rb_a='' rb_end=''
  { read -r rb_a rb_rc rb_why rb_end _ <"$rb_j/result"; } 2>/dev/null
  [ "$rb_a" = rb1 ] && [ "$rb_end" = end ]
}

rb_done() { # the state that a complete result says, into rb_st
  rb_result || return 1
  case $rb_why in
  fenced | nostart) rb_st='LOST before-start' ;;
  *) rb_st="DONE $rb_rc $rb_why" ;;
  esac
}

rb_take() { # name word: takes a slot that only one can have
  echo "$2 0 0" >"$rb_j/take.$$" 2>/dev/null && ln "$rb_j/take.$$" "$rb_j/$1" 2>/dev/null
  rb_t=$?
  rm -f "$rb_j/take.$$"
  return "$rb_t"
}

rb_look() { # run attempt: the state into rb_st
  rb_job_dir "$1" "$2"
  [ -d "$rb_j" ] || { rb_st=ABSENT; return; }
  rb_done && return
  if [ ! -e "$rb_j/claim" ]; then
    if [ -f "$rb_j/run" ]; then rb_st=PREPARED; else rb_st=STAGING; fi
    return
  fi
  rb_wp='' rb_ws='' rb_wb=''
  { read -r rb_wp rb_ws rb_wb <"$rb_j/claim"; } 2>/dev/null
  [ "$rb_wp" = cancelled ] && { rb_st=ABORTED; return; }
  rb_alive "$rb_wp" "$rb_ws" "$rb_wb"
  rb_w=$?
  [ "$rb_w" = 2 ] && { rb_st='LOST reboot'; return; }
  if [ "$rb_w" = 0 ]; then
    rb_pp=0
    { read -r rb_pp _ <"$rb_j/pid"; } 2>/dev/null
    case $rb_pp in *[!0-9]*) rb_pp=0 ;; esac
    rb_st="RUNNING $rb_pp"
    return
  fi
  # The wrapper is gone. A payload that has not taken its slot yet must never start: take the slot from it.
  rb_take pid never
  rb_pp='' rb_ps='' rb_pb=''
  { read -r rb_pp rb_ps rb_pb <"$rb_j/pid"; } 2>/dev/null
  [ "$rb_pp" = never ] && { rb_done || rb_st='LOST before-start'; return; }
  if rb_alive "$rb_pp" "$rb_ps" "$rb_pb"; then rb_st="ORPHANED $rb_pp"; return; fi
  # it may have finished between two looks
  rb_done || rb_st='LOST killed'
}

rb_state() { # run attempt
  rb_look "$1" "$2"
  printf 'state %s\n' "$rb_st"
}

rb_list() { # run
  set +f
  for rb_d in "$RB/runs/$1/jobs"/*; do
    set -f
    [ -d "$rb_d" ] || continue
    rb_look "$1" "${rb_d##*/}"
    printf 'job %s %s\n' "${rb_d##*/}" "$rb_st"
  done
  set -f
}

rb_slice() { # name file skip bytes: a frame of exactly so many bytes
  printf '%s data %s %s\n' "$rb_token" "$1" "$4"
  [ "$4" -gt 0 ] && tail -c "+$(($3 + 1))" "$2" | head -c "$4"
  printf '\n'
}

rb_poll() { # run attempt out-offset err-offset max: state first, bytes second, so DONE means that the bytes are complete
  rb_state "$1" "$2"
  rb_piece out "$3" "$5"
  rb_piece err "$4" "$5"
}

rb_piece() { # name offset max: what follows in a file of the attempt
  rb_size "$rb_j/$1"
  rb_o=$((rb_n - $2))
  if [ "$rb_o" -lt 0 ]; then rb_o=0; elif [ "$rb_o" -gt "$3" ]; then rb_o=$3; fi
  rb_slice "$1" "$rb_j/$1" "$2" "$rb_o"
}

rb_ends() { # name file head tail: its size, and all of it or its two ends
  rb_size "$2"
  printf 'size %s %s\n' "$1" "$rb_n"
  if [ "$rb_n" -le $(($3 + $4)) ]; then
    rb_slice "$1" "$2" 0 "$rb_n"
  else
    rb_slice "$1" "$2" 0 "$3"
    rb_slice "$1-end" "$2" $((rb_n - $4)) "$4"
  fi
}

rb_collect() { # run attempt max-records head tail
  rb_state "$1" "$2"
  rb_ends rec "$rb_j/rec" "$3" 0
  rb_ends out "$rb_j/out" "$4" "$5"
  rb_ends err "$rb_j/err" "$4" "$5"
}

rb_payload_alive() { # reads who the payload of rb_j is
  rb_pp='' rb_ps='' rb_pb=''
  { read -r rb_pp rb_ps rb_pb <"$rb_j/pid"; } 2>/dev/null
  rb_alive "$rb_pp" "$rb_ps" "$rb_pb"
}

rb_cancel() { # run attempt epoch signal
  rb_fence "$1" "$3" || return 1
  rb_job_dir "$1" "$2"
  # also where nothing is yet: a launch that is still on its way must find the claim taken
  if [ -d "$RB/runs/$1" ]; then
    mkdir -p -- "$rb_j" || { rb_io "cannot make $rb_j"; return 1; }
    rb_take claim cancelled
    if [ ! -e "$rb_j/result" ]; then
      rb_take pid never
      if rb_payload_alive; then
        (set -C && echo cancel >"$rb_j/why") 2>/dev/null
        kill -s "$4" -- "-$rb_pp" 2>/dev/null
      fi
    fi
    # what was handed over for a payload that never will be
    if ! rb_payload_alive && rb_tmpfs; then rm -f -- "$rb_shm/runbook-$rb_uid-$1-$2"; fi
  fi
  rb_state "$1" "$2"
}

rb_wipe() { # run attempt epoch: empties what an attempt that is over has printed; refuses one that lives
  rb_fence "$1" "$3" || return 1
  rb_look "$1" "$2"
  case $rb_st in ABSENT) return 0 ;; RUNNING* | ORPHANED*) printf 'error alive %s\n' "$rb_st"; return 1 ;; esac
  for rb_f in out err rec hand; do
    [ ! -s "$rb_j/$rb_f" ] || : >"$rb_j/$rb_f" || { rb_io "cannot write $rb_j/$rb_f"; return 1; }
  done
}

rb_discard() { # run epoch: removes all that a run has kept for undo
  rb_fence "$1" "$2" || return 1
  rb_d=$RB/runs/$1/undo
  [ -d "$rb_d" ] || return 0
  # renamed first: half of it is of no use
  mv "$rb_d" "$RB/runs/$1/trash.undo.$$" || { rb_io "cannot remove $rb_d"; return 1; }
  rm -rf "$RB/runs/$1/trash.undo.$$"
}

rb_forget() { # run attempt epoch: removes an attempt that is over; refuses one that lives
  rb_fence "$1" "$3" || return 1
  rb_job_dir "$1" "$2"
  [ -d "$rb_j" ] || return 0
  rb_take claim cancelled
  rb_look "$1" "$2"
  case $rb_st in RUNNING* | ORPHANED*) printf 'error alive %s\n' "$rb_st"; return 1 ;; esac
  { read -r _ _ _ rb_secret <"$rb_j/limit"; } 2>/dev/null
  case ${rb_secret-} in /*) rm -f -- "$rb_secret" ;; esac
  # renamed first: a late launcher must find nothing, and half of a directory is not a state
  mv "$rb_j" "$RB/runs/$1/trash.$2.$$" && rm -rf "$RB/runs/$1/trash.$2.$$"
}
