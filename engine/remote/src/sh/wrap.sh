# shellcheck shell=sh
# The detached side of an attempt: a wrapper that claims, watches and records, and the payload's first steps.

rb_finish() { # status why: the result appears whole or not at all, in the block that was reserved for it
  printf 'rb1 %d %s end\n' "$1" "$2" 1<>"$rb_j/.result" && mv "$rb_j/.result" "$rb_j/result"
  case ${rb_secret-} in /*) rm -f -- "$rb_secret" ;; esac
  set +f
  for rb_f in "$RB/watch"/*; do
    # opened for both ways: this never waits for a reader
    [ -p "$rb_f" ] && printf 'ended %s %s\n' "$rb_run" "$rb_attempt" 1<>"$rb_f"
  done
}

rb_over() { # whether the output is larger than it may be
  rb_size "$rb_j/out"
  rb_total=$rb_n
  for rb_f in "$rb_j/err" "$rb_j/rec"; do
    rb_size "$rb_f"
    [ "$rb_n" -le "$rb_max" ] || return 0
    rb_total=$((rb_total + rb_n))
  done
  [ "$rb_total" -gt "$rb_max" ]
}

rb_watchdog() { # group: ends what takes too long or prints too much; ends itself when nothing is left to watch
  rb_i=0 rb_section=
  while :; do
    # without a second between two looks this would burn the host
    sleep 1 || return
    # the process first: its group is there only a moment later
    kill -s 0 "$1" 2>/dev/null || kill -s 0 -- "-$1" 2>/dev/null || return
    rb_i=$((rb_i + 1))
    # a chain has a limit for each of its sections, and counts anew for each
    rb_f='' rb_t='' rb_end=''
    { read -r rb_f rb_t rb_end <"$rb_j/section"; } 2>/dev/null
    if [ "$rb_end" = end ] && [ "$rb_f" != "$rb_section" ]; then rb_section=$rb_f rb_limit=$rb_t rb_i=0; fi
    if [ "$rb_limit" -gt 0 ] && [ "$rb_i" -ge "$rb_limit" ]; then rb_cause=timeout; break; fi
    if rb_over; then rb_cause=output; break; fi
  done
  [ -e "$rb_j/result" ] && return
  (set -C && echo "$rb_cause" >"$rb_j/why") 2>/dev/null
  kill -s TERM -- "-$1"
  sleep 2
  kill -s KILL -- "-$1"
}

rb_wrap() { # run attempt
  rb_run=$1 rb_attempt=$2 rb_secret=-
  rb_job_dir "$1" "$2"
  cd / || exit 1
  rb_birth $$ || exit 1
  rb_me="$$ $rb_born $rb_boot_id"
  echo "$rb_me" 2>/dev/null >"$rb_j/who.$$" || exit 1
  ln "$rb_j/who.$$" "$rb_j/claim" 2>/dev/null # name and identity appear together, and only once
  rm -f "$rb_j/who.$$"
  rb_got=
  { IFS= read -r rb_got <"$rb_j/claim"; } 2>/dev/null
  [ "$rb_got" = "$rb_me" ] || exit 0
  rb_limit=0 rb_max=0 rb_job_epoch=0
  { read -r rb_limit rb_max rb_job_epoch rb_secret <"$rb_j/limit"; } 2>/dev/null || { rb_finish 126 nostart; exit 1; }
  rb_epoch_of "$1"
  [ "$rb_e" -le "$rb_job_epoch" ] || { rb_finish 0 fenced; exit 0; }
  # shellcheck disable=SC2086
  setsid $RB_SH "$0" "$RB_SH" "$RB" payload "$1" "$2" "$rb_secret" </dev/null >>"$rb_j/out" 2>>"$rb_j/err" &
  rb_p=$!
  rb_watchdog "$rb_p" </dev/null >/dev/null 2>&1 &
  rb_dog=$!
  wait "$rb_p"
  rb_rc=$?
  kill -s KILL "$rb_dog" 2>/dev/null
  [ "$rb_rc" -gt 256 ] && rb_rc=$((rb_rc - 128)) # one shell reports 256 + signal
  # the payload is over: a slot that it did not take was never taken by it
  rb_pp=never
  { read -r rb_pp _ <"$rb_j/pid"; } 2>/dev/null
  [ "$rb_pp" = never ] && { rb_finish "$rb_rc" nostart; exit 0; }
  rb_why='exit'
  { read -r rb_why <"$rb_j/why"; } 2>/dev/null
  if [ "$rb_rc" -gt 128 ] && [ "${rb_why:-exit}" = exit ] && [ -e "$rb_j/section" ]; then
    # the runner of a chain was killed: what it had begun has nobody who watches it any more
    kill -s KILL -- "-$rb_p" 2>/dev/null
  fi
  if [ "${rb_why:-exit}" != exit ]; then
    # ended by force: what it started goes too
    rb_i=0
    while [ "$rb_i" -lt 2 ] && kill -s 0 -- "-$rb_p" 2>/dev/null; do sleep 1; rb_i=$((rb_i + 1)); done
    kill -s KILL -- "-$rb_p" 2>/dev/null
    # it had finished by itself just before
    [ "$rb_rc" = 0 ] && rb_why='exit'
  fi
  rb_finish "$rb_rc" "${rb_why:-exit}"
}

rb_payload() { # run attempt secrets: without its slot no line of the script runs
  rb_job_dir "$1" "$2"
  rb_birth $$ || exit 126
  echo "$$ $rb_born $rb_boot_id" >"$rb_j/pid.$$" || exit 126
  if [ "$3" = - ]; then
    exec 9</dev/null
  else
    exec 9<"$3" || exit 126
    rm -f -- "$3" || exit 126
  fi
  ln "$rb_j/pid.$$" "$rb_j/pid" 2>/dev/null || { rm -f "$rb_j/pid.$$"; exit 126; }
  rm -f "$rb_j/pid.$$"
  # named again: some shells close them on exec
  # shellcheck disable=SC2086
  exec $RB_SH "$rb_j/run" 3>>"$rb_j/rec" 9<&9
}

rb_file() { # how the library's file is started
  RB_SH=$1 RB=$2 rb_verb=$3
  shift 3
  case $rb_verb in
  wrap) rb_wrap "$@" ;;
  payload) rb_payload "$@" ;;
  esac
}
