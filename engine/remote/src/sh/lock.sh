# shellcheck shell=sh
# The lock of a host: one line `RUN EPOCH SINCE WHO` in one file says which run may change something here. It ends with
# its run, or by hand, never by time. A new one is made by link: it is there whole, and only once. One that is there is
# changed for its own run only, and by one shell at a time: what is removed or replaced is what was looked at.
rb_nl='
'

rb_lock_read() { # its line into rb_l, its words into rb_lr, rb_le, rb_ls, all empty when it makes no sense; fails without one
  rb_l=$(head -c 512 "$RB/lock" 2>/dev/null) || return 1
  rb_l=${rb_l%%"$rb_nl"*}
  # shellcheck disable=SC2086
  set -- $rb_l
  rb_lr=${1-} rb_le=${2-} rb_ls=${3-}
  case $rb_le in '' | *[!0-9]* | ??????????*) rb_lr='' ;; esac
  case $rb_ls in '' | *[!0-9]*) rb_lr='' ;; esac
  [ -n "$rb_lr" ] || rb_le='' rb_ls=''
}

rb_lock_make() { # line: a whole lock under a name of its own, into rb_lf
  rb_lf=$RB/.lock.$$
  # never written over: an old one may be a second name of the lock
  rm -f "$rb_lf"
  if { rb_text "$1$rb_nl" >"$rb_lf"; } 2>/dev/null && [ -s "$rb_lf" ]; then
    # a power cut must not leave the name without the line
    sync "$rb_lf" 2>/dev/null
    return 0
  fi
  rm -f "$rb_lf"
  rb_io "cannot write to $RB"
}

rb_guard() { # takes the file that only one shell can have; the boot is in its name, so none outlives it
  rb_birth $$ || { rb_io 'cannot read /proc'; return 1; }
  rb_me="$$ $rb_born $rb_boot_id"
  rb_g=$RB/guard.$rb_boot_id
  rb_i=0
  while [ "$rb_i" -lt 20 ]; do
    rm -f "$RB/.guard.$$"
    echo "$rb_me" 2>/dev/null >"$RB/.guard.$$" || { rb_io "cannot write to $RB"; return 1; }
    ln "$RB/.guard.$$" "$rb_g" 2>/dev/null
    rm -f "$RB/.guard.$$"
    rb_got=
    { IFS= read -r rb_got <"$rb_g"; } 2>/dev/null
    [ "$rb_got" = "$rb_me" ] && return 0
    # shellcheck disable=SC2086
    if [ -n "$rb_got" ] && ! rb_alive $rb_got; then
      # its owner was killed right there
      if mv -f "$rb_g" "$RB/.guard.$$" 2>/dev/null; then
        rb_t=
        { IFS= read -r rb_t <"$RB/.guard.$$"; } 2>/dev/null
        # somebody else was quicker, and this is the new one: back with it
        [ "$rb_t" = "$rb_got" ] || ln "$RB/.guard.$$" "$rb_g" 2>/dev/null
      fi
    else
      [ -z "$rb_got" ] || sleep 1
    fi
    rb_i=$((rb_i + 1))
  done
  rb_io "$rb_g is held by the process $rb_got"
}

rb_lock_change() { # run epoch line: the lock of this run becomes the line, with its old time; without a line it goes
  rb_guard || return 1
  rb_lc=0
  if rb_lock_read && [ "$rb_lr" = "$1" ]; then
    if [ "$rb_le" -gt "$2" ]; then
      printf 'error fenced %s\n' "$rb_le"
      rb_lc=1
    elif [ $# -lt 3 ]; then
      rm -f "$RB/lock" || { rb_io "cannot remove $RB/lock"; rb_lc=1; }
    elif ! rb_lock_make "$1 $2 $rb_ls $3"; then
      rb_lc=1
    elif ! mv -f "$rb_lf" "$RB/lock"; then
      rm -f "$rb_lf"
      rb_io "cannot write $RB/lock"
      rb_lc=1
    fi
  fi
  rm -f "$rb_g"
  return "$rb_lc"
}

rb_lock() { # run epoch since who: takes the lock, or says which other run has it
  rb_own_dir "$RB" || return 1
  mkdir -p -- "$RB/runs/$1/epoch" || { rb_io "cannot write to $RB"; return 1; }
  rb_take_epoch "$1" "$2" || return 1
  rb_new=no rb_tries=0
  while [ "$rb_tries" -lt 10 ]; do
    rb_tries=$((rb_tries + 1))
    if ! rb_lock_read; then
      rb_lock_make "$1 $2 $3 $4" || return 1
      ln "$rb_lf" "$RB/lock" 2>/dev/null
      rm -f "$rb_lf"
      rb_lock_read || continue
      [ "$rb_l" != "$1 $2 $3 $4" ] || rb_new=yes
    fi
    if [ "$rb_lr" != "$1" ]; then
      rb_text "held $rb_l$rb_nl"
      return 0
    fi
    if [ "$rb_le" = "$2" ]; then
      rb_fence "$1" "$2" && return 0
      # asked long ago by a controller that is out: what the later one has left free stays free
      [ "$rb_new" = no ] || rb_lock_change "$1" "$2"
      return 1
    fi
    rb_lock_change "$1" "$2" "$4" || return 1
  done
  rb_io "cannot make $RB/lock"
}

rb_unlock() { # run epoch: gives the lock back, if it is this run's
  rb_fence "$1" "$2" || return 1
  # a controller that this one has replaced must not take it again
  [ ! -d "$RB/runs/$1/epoch" ] || rb_take_epoch "$1" "$2" || return 1
  if ! rb_lock_read || [ "$rb_lr" != "$1" ]; then return 0; fi
  rb_lock_change "$1" "$2"
}
