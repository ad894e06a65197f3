# shellcheck shell=sh
# Chains as the control shell sees them: attempts of which a controller has to say that it is still there, that can be
# told to begin nothing more, and of which the records are read as they come.

rb_beat() { # run epoch: this controller is there, at this moment of this boot
  rb_fence "$1" "$2" || return 1
  rb_d=$RB/runs/$1
  [ -d "$rb_d/epoch" ] || { echo 'error unready'; return 1; }
  rb_s=
  { read -r rb_s _ </proc/uptime; } 2>/dev/null
  # whole or not at all
  { echo "${rb_s%%.*} $rb_boot_id" >"$rb_d/beat.$$"; } 2>/dev/null && mv -f "$rb_d/beat.$$" "$rb_d/beat" && return 0
  rb_io "cannot write to $rb_d"
}

rb_chain() { # as rb_job
  if rb_may "$1" "$3" "$4" && rb_beat "$1" "$3"; then
    rb_job "$@"
  else
    [ "$8" = no ] || { rb_secret_file "$1" "$2" && rm -f -- "$rb_secret"; } >/dev/null
    return 1
  fi
}

rb_halt() { # run attempt epoch: no further effect of this chain begins
  rb_fence "$1" "$3" || return 1
  rb_job_dir "$1" "$2"
  [ -d "$RB/runs/$1" ] || return 0
  # also where nothing is yet: a launch that is still on its way must find it
  if ! mkdir -p -- "$rb_j" || ! { true >"$rb_j/halt"; } 2>/dev/null; then
    rb_io "cannot write to $rb_j"
  fi
}

rb_follow() { # run attempt rec-offset out-offset err-offset max: the records before the outputs, which are there by then
  rb_state "$1" "$2"
  rb_piece rec "$3" "$6"
  rb_piece out "$4" "$6"
  rb_piece err "$5" "$6"
}
