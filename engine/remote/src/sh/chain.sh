# shellcheck shell=sh
# shellcheck disable=SC2154,SC2034 # the engine sets rb_unit, rb_epoch and rb_most before this, and uses the rest
# The payload of a chain: members one after the other, each check and apply in a subshell of its own; the prelude comes
# before this, what the members do and one `rb_member` for each come after.
#
# Descriptor 3 has the records of all sections, and between them marks of the engine: NUL, `rb-UNIT`, words, NUL. A
# record cannot hold NUL, so none looks like a mark. Standard output and error have a mark with the number of the
# section at its end.
set +e
# a section is asked to end with the whole group, and is waited for: without a word, because it did not end by itself
trap 'exit 143' TERM
rb_nl='
'
rb_end="$rb_nl${rb_nl}rb_record end - ok"
rb_j=${0%/*}
rb_runs=${rb_j%/jobs/*}
rb_said=$rb_j/said
# from a check to the apply of the same member
rb_hand=$rb_j/hand
rb_n=0
rb_synced=unknown
rb_boot_id=none
{ IFS= read -r rb_boot_id <'/proc/sys/kernel/random/boot_id'; } 2>/dev/null

# What a section says goes to a small file too, a letter and a size for each record: the runner reads no values.
case ${KSH_VERSION-} in
*MIRBSD* | *LEGACY*)
  # shellcheck disable=SC3037
  rb_mark() { print -n "\\0rb-$rb_unit $1\\0"; }
  # shellcheck disable=SC3037
  rb_record() { print -rn -- "$1 $2 $3" >&3 && print -n '\0' >&3 && rb_note "$1" $((${#1} + ${#2} + ${#3} + 3)); }
  ;;
*)
  rb_mark() { printf '\0%s\0' "rb-$rb_unit $1"; }
  rb_record() { printf '%s %s %s\0' "$1" "$2" "$3" >&3 && rb_note "$1" $((${#1} + ${#2} + ${#3} + 3)); }
  ;;
esac
rb_note() {
  case $1 in
  differs) rb_text "d$2 " >>"$rb_said" ;;
  output | before) rb_text "o$2 " >>"$rb_said" ;;
  skip) rb_text "k$2 " >>"$rb_said" ;;
  end) rb_text "e$2 " >>"$rb_said" ;;
  *) rb_text "f$2 " >>"$rb_said" ;;
  esac
}

rb_heard() { # status: what a section came to, into rb_word
  rb_got='' rb_sum=0 rb_differs=no rb_skipped=no rb_ended=no rb_word=failed
  { IFS= read -r rb_got <"$rb_said"; } 2>/dev/null
  [ "$1" -eq 0 ] || return 0
  for rb_w in $rb_got; do
    case $rb_w in
    d*) rb_differs=yes ;;
    k*) rb_skipped=yes ;;
    e*) rb_ended=yes ;;
    o*) ;;
    *) return 0 ;;
    esac
    rb_sum=$((rb_sum + ${rb_w#?}))
  done
  if [ "$rb_sum" -gt 1048576 ]; then
    return 0
  elif [ "$rb_skipped" = yes ]; then
    rb_word=skipped
  elif [ "$rb_ended" = no ]; then
    return 0
  elif [ "$rb_differs" = yes ]; then
    rb_word=differs
  else
    rb_word=satisfied
  fi
}

rb_stop() { # reason: nothing more begins
  rb_mark "stop $1" >&3 && exit 0
  exit 1
}

rb_i=0
rb_limit() { # seconds: the watchdog counts from here, 0 is without end; nothing is said yet
  rb_i=$((rb_i + 1))
  { rb_text "$rb_i $1 end$rb_nl" >"$rb_j/section" && true >"$rb_said"; } 2>/dev/null
}

rb_section() { # kind member function: never called where a shell ignores `-e`
  rb_n=$((rb_n + 1))
  if [ "$1" = apply ]; then
    (
      set -e
      "$3"
    )
  else
    (
      set -e
      "$3"
    ) 1>&2
  fi
  rb_rc=$?
  [ "$rb_rc" -le 256 ] || rb_rc=$((rb_rc - 128)) # one shell reports 256 + signal
  rb_heard "$rb_rc"
  rb_mark "$rb_n" && rb_mark "$rb_n" >&2
  rb_w=$?
  # after the marks of the outputs: who sees it finds them
  rb_mark "over $1 $2 $rb_rc $rb_word" >&3 || rb_stop disk
  [ "$rb_w" -eq 0 ] || rb_stop disk
}

rb_effect() { # whether an effect may begin; why not is in rb_w
  rb_w=halt
  [ ! -e "$rb_j/halt" ] || return 1
  rb_w=fenced
  for rb_f in "$rb_runs/epoch"/*; do
    rb_f=${rb_f##*/}
    case $rb_f in '' | *[!0-9]*) continue ;; esac
    [ "$rb_f" -le "$rb_epoch" ] || return 1
  done
  rb_w=heartbeat rb_at='' rb_boot='' rb_now=''
  { read -r rb_at rb_boot rb_f <"$rb_runs/beat" && read -r rb_now _ <'/proc/uptime'; } 2>/dev/null
  rb_now=${rb_now%%.*}
  case $rb_at,$rb_now in ,* | *, | *[!0-9,]*) return 1 ;; esac
  [ "$rb_boot" = "$rb_boot_id" ] && [ $((rb_now - rb_at)) -le "$rb_most" ]
}

rb_make_durable() { # makes the records durable, as far as this system can: an old `sync` knows no files
  if [ "$rb_synced" = unknown ]; then
    # the names first, once
    rb_synced=no
    sync -- "$rb_j" "${rb_j%/*}" "$rb_runs" 2>/dev/null && rb_synced=yes
  fi
  sync -- "$rb_j/rec" 2>/dev/null || [ "$rb_synced" = no ]
}

rb_member() { # member check-seconds apply-seconds
  [ ! -s "$rb_hand" ] || true >"$rb_hand" || rb_stop disk
  rb_limit "$2" || rb_stop disk
  rb_mark "open check $1" >&3 || exit 1
  rb_section check "$1" "rb_c$1"
  case $rb_word in
  satisfied | skipped) return 0 ;;
  differs) ;;
  *) rb_stop member ;;
  esac
  rb_effect || rb_stop "$rb_w"
  # a disk may take its time, and what is checked next must hold when it has
  rb_limit 300 || rb_stop disk
  rb_mark "open apply $1" >&3 || rb_stop disk
  rb_w=disk
  if ! rb_make_durable || ! rb_effect || { rb_w=disk && ! rb_limit "$3"; }; then
    rb_mark "not $1" >&3 || exit 1
    rb_stop "$rb_w"
  fi
  rb_section apply "$1" "rb_a$1"
  [ "$rb_rc" -eq 0 ] || rb_stop member
  case $rb_word in satisfied | differs) ;; *) rb_stop member ;; esac
  rb_limit "$2" || rb_stop disk
  rb_mark "open again $1" >&3 || exit 1
  rb_section again "$1" "rb_c$1"
  [ "$rb_word" = satisfied ] || rb_stop member
}
