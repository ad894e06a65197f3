# shellcheck shell=sh
# shellcheck disable=SC2154 # the other parts of the library set what they find
# What other runs have left here for good: directories of runs that nobody will ask for. Nothing goes that is alive, that
# has the lock or that is wanted; nothing outside of the directory of runs is touched, no symbolic link is followed.
# What goes is renamed first, so that half of it is never taken for a run.
rb_ep_age=31536000 # seconds that the epoch of a run with several controllers stays: a year

rb_clean_trash() { # what an earlier clean-up had no time for
  set +f
  for rb_f in "$RB/runs"/.trash.*; do
    set -f
    if [ ! -h "$rb_f" ] && [ -d "$rb_f" ] && ! rb_clean_late; then rb_clean_rm "$rb_f"; fi
  done
  set -f
}

rb_clean_rm() { # directory: one complaint at most, however many cannot be removed
  rm -rf -- "$1" 2>/dev/null
  if [ -e "$1" ]; then rb_clean_bad "cannot remove $1"; fi
}

rb_clean_bad() { # what
  [ -z "$rb_x_bad" ] || return 0
  rb_x_bad=yes
  rb_io "$1"
}

rb_clean_late() { # whether this visit has taken long enough
  [ $(($(date +%s) - rb_x_begin)) -ge "$rb_x_limit" ]
}

rb_clean_alive() { # run: whether an attempt of it lives; unlike a look, this leaves no trace that would make it younger
  set +f
  for rb_d in "$RB/runs/$1/jobs"/*; do
    set -f
    for rb_f in claim pid; do
      rb_pp='' rb_ps='' rb_pb=''
      { read -r rb_pp rb_ps rb_pb <"$rb_d/$rb_f"; } 2>/dev/null
      if rb_alive "$rb_pp" "$rb_ps" "$rb_pb"; then return 0; fi
    done
  done
  set -f
  return 1
}

rb_clean_dead() { # name: whether it is the directory of a run that nobody needs
  case $1 in '' | *[!a-z0-9]* | ?????????????????????*) return 1 ;; esac
  case "$rb_nl$rb_x_wanted$rb_nl" in *"$rb_nl$1$rb_nl"*) return 1 ;; esac
  for rb_f in "$1" "$1/epoch" "$1/jobs"; do
    [ ! -h "$RB/runs/$rb_f" ] || return 1
  done
  [ -d "$RB/runs/$1/epoch" ] || return 1
  # a lock that makes no sense may be anybody's
  if rb_lock_read && { [ -z "$rb_lr" ] || [ "$rb_lr" = "$1" ]; }; then return 1; fi
  ! rb_clean_alive "$1"
}

rb_clean_measure() { # run: seconds of its last change into rb_new, its size in KiB into rb_kib
  # shellcheck disable=SC2016,SC2046
  set -- $(find "$RB/runs/$1" -exec stat -c '%Y %b %B' {} + 2>/dev/null |
    awk '$1 > new { new = $1 } { n += $2 * $3 / 1024 } END { if (n > 999999999) n = 999999999; printf "%.0f %.0f", new, n }')
  rb_new=${1-} rb_kib=${2-}
  case $rb_new$rb_kib in '' | *[!0-9]*) return 1 ;; esac
  [ "$rb_new" -gt 0 ]
}

rb_clean_bare() { # run: whether only an epoch is left of it that still keeps an earlier controller out
  rb_epoch_of "$1"
  [ "$rb_e" -gt 1 ] || return 1
  rb_t=yes
  set +f
  for rb_f in "$RB/runs/$1"/* "$RB/runs/$1"/.[!.]*; do
    case ${rb_f##*/} in epoch | '*' | '.[!.]*') ;; *) rb_t=no ;; esac
  done
  set -f
  [ "$rb_t" = yes ]
}

rb_clean_away() { # run newest: removes it, if it still is as it was
  if rb_clean_late || ! rb_clean_dead "$1" || ! rb_clean_measure "$1" || [ "$rb_new" != "$2" ]; then return 1; fi
  set +f
  for rb_d in "$RB/runs/$1/jobs"/*; do
    set -f
    if [ -h "$rb_d" ] || [ ! -d "$rb_d" ]; then continue; fi
    # shellcheck disable=SC2034 # rb_take reads it
    rb_j=$rb_d
    # what is still on its way must not begin in what is being removed
    for rb_f in claim pid; do
      [ -e "$rb_d/$rb_f" ] || rb_take "$rb_f" cancelled
      [ -e "$rb_d/$rb_f" ] || { rb_clean_bad "cannot write to $rb_d"; return 1; }
    done
  done
  set -f
  if rb_clean_alive "$1"; then return 1; fi
  rb_x_old=$RB/runs/.trash.$1.$$
  rb_epoch_of "$1"
  if [ "$rb_e" -le 1 ] || rb_clean_bare "$1"; then
    mv -- "$RB/runs/$1" "$rb_x_old" 2>/dev/null || { rb_clean_bad "cannot remove $RB/runs/$1"; return 1; }
    rb_clean_rm "$rb_x_old"
    return 0
  fi
  # it had several controllers: one that wakes up later must find that it is not the last
  set +f
  for rb_f in "$RB/runs/$1"/* "$RB/runs/$1"/.[!.]*; do
    set -f
    rb_t=${rb_f##*/}
    case $rb_t in epoch | '*' | '.[!.]*') continue ;; esac
    mv -- "$rb_f" "$rb_x_old.$rb_t" 2>/dev/null || { rb_clean_bad "cannot remove $rb_f"; return 1; }
    if [ -h "$rb_x_old.$rb_t" ] || [ ! -d "$rb_x_old.$rb_t" ]; then rm -f -- "$rb_x_old.$rb_t"; else rb_clean_rm "$rb_x_old.$rb_t"; fi
  done
  set -f
}

rb_clean_secrets() { # what was handed over for attempts that never began, under controllers that never came back
  rb_tmpfs || return 0
  set +f
  for rb_x_file in "$rb_shm/runbook-$rb_uid-"*; do
    set -f
    rb_x_run=${rb_x_file#"$rb_shm/runbook-$rb_uid-"}
    rb_x_run=${rb_x_run%%-*}
    if [ -h "$rb_x_file" ] || [ ! -f "$rb_x_file" ]; then continue; fi
    case "$rb_nl$rb_x_wanted$rb_nl" in *"$rb_nl$rb_x_run$rb_nl"*) continue ;; esac
    if [ -e "$RB/runs/$rb_x_run" ] && ! rb_clean_dead "$rb_x_run"; then continue; fi
    rb_new=$(stat -c %Y -- "$rb_x_file" 2>/dev/null)
    case $rb_new in '' | *[!0-9]*) continue ;; esac
    [ $((rb_x_begin - rb_new)) -lt "$rb_x_young" ] || rm -f -- "$rb_x_file"
  done
  set -f
}

rb_clean() { # run epoch days KiB young-seconds entries seconds; the runs that are wanted on stdin, one a line
  rb_fence "$1" "$2" || return 1
  if [ -h "$RB/runs" ] || [ ! -d "$RB/runs" ]; then return 0; fi
  for rb_f in awk du find sort stat; do
    command -v "$rb_f" >/dev/null 2>&1 || { rb_io "what old runs have left is not removed: $rb_f is missing"; return 1; }
  done
  rb_x_days=$3 rb_x_most=$4 rb_x_young=$5 rb_x_entries=$6 rb_x_limit=$7 rb_x_bad=''
  rb_x_wanted=$1$rb_nl$(cat)
  rb_x_begin=$(date +%s)
  rb_clean_trash
  rb_clean_secrets
  # most visits find little: then only what is old is looked into
  rb_t=$(du -sk -- "$RB/runs" 2>/dev/null)
  rb_t=${rb_t%%[!0-9]*}
  if [ "${rb_t:-0}" -gt "$rb_x_most" ]; then
    # shellcheck disable=SC2012
    rb_x_names=$(ls -1tr -- "$RB/runs" | head -n "$rb_x_entries")
  else
    rb_x_names=$(cd "$RB/runs" && find . ! -name . -prune -type d -mtime "+$((rb_x_days - 1))" | head -n "$rb_x_entries")
  fi
  rb_x_dead='' rb_x_sum=0
  for rb_x in $rb_x_names; do
    rb_x=${rb_x#./}
    if rb_clean_late; then break; fi
    if ! rb_clean_dead "$rb_x" || ! rb_clean_measure "$rb_x"; then continue; fi
    if rb_clean_bare "$rb_x"; then
      if [ $((rb_x_begin - rb_new)) -ge "$rb_ep_age" ] && rb_clean_away "$rb_x" "$rb_new"; then echo "gone $rb_x"; fi
      continue
    fi
    rb_x_dead="$rb_x_dead$rb_new $rb_kib $rb_x$rb_nl"
    rb_x_sum=$((rb_x_sum + rb_kib))
    [ "$rb_x_sum" -le 999999999 ] || rb_x_sum=999999999
  done
  # shellcheck disable=SC2046
  set -- $(rb_text "$rb_x_dead" | sort -n)
  while [ $# -ge 3 ]; do
    rb_x_age=$((rb_x_begin - $1))
    # what comes later is younger
    if [ "$rb_x_age" -lt "$rb_x_young" ]; then break; fi
    if [ "$rb_x_age" -lt $((rb_x_days * 86400)) ] && [ "$rb_x_sum" -le "$rb_x_most" ]; then break; fi
    if rb_clean_away "$3" "$1"; then echo "gone $3"; fi
    # one that stays is not dead any more, or cannot be removed: no other one goes in its place
    rb_x_sum=$((rb_x_sum - $2))
    shift 3
  done
  return 0
}
