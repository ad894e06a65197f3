# shellcheck shell=sh
# Who is alive, where files are, how large they are. Results go into variables: a subshell costs a fork.
# Paths and numbers here come from the controller or from this library, never from a runbook.
umask 077
set -f
rb_boot_id=none
{ IFS= read -r rb_boot_id </proc/sys/kernel/random/boot_id; } 2>/dev/null

rb_born=
rb_birth() { # pid: kernel start time into rb_born; fails when dead or a zombie
  rb_born=
  { IFS= read -r rb_s <"/proc/$1/stat"; } 2>/dev/null || return 1
  rb_s=${rb_s##*") "}
  # shellcheck disable=SC2086
  set -- $rb_s
  [ $# -gt 19 ] || return 1
  case $1 in Z | X | x) return 1 ;; esac
  shift 19
  rb_born=$1
}

rb_alive() { # pid start boot: 0 the same process lives, 1 gone, 2 another boot
  [ "${3-}" = "$rb_boot_id" ] || return 2
  rb_birth "$1" || return 1
  [ "$rb_born" = "$2" ]
}

rb_size() { # file: bytes into rb_n, 0 when absent; some shells count in 32 bits, so it stops below that
  # ls, because some `wc -c` read the whole file
  # shellcheck disable=SC2046,SC2012
  set -- $(ls -lnd -- "$1" 2>/dev/null)
  rb_n=${5-0}
  [ ${#rb_n} -lt 10 ] || rb_n=999999999
}

rb_io() { # what: an error line for the controller
  printf 'error io %s\n' "$1"
  return 1
}

case ${KSH_VERSION-} in
*MIRBSD* | *LEGACY*)
  # printf is a program there: its arguments would be visible, and limited
  # shellcheck disable=SC3037
  rb_text() { print -rn -- "$1"; }
  ;;
*) rb_text() { printf '%s' "$1"; } ;;
esac

rb_job_dir() { # run attempt: sets rb_j
  rb_j=$RB/runs/$1/jobs/$2
}

rb_epoch_of() { # run: highest epoch into rb_e, 0 when there is none
  rb_e=0
  set +f
  for rb_f in "$RB/runs/$1/epoch"/*; do
    rb_f=${rb_f##*/}
    case $rb_f in '' | *[!0-9]*) continue ;; esac
    [ "$rb_f" -gt "$rb_e" ] && rb_e=$rb_f
  done
  set -f
}

rb_fence() { # run epoch: fails when a later controller was here; epoch 0 asks nothing
  rb_epoch_of "$1"
  [ "$2" -eq 0 ] || [ "$rb_e" -le "$2" ] || { printf 'error fenced %s\n' "$rb_e"; return 1; }
}

rb_tmpfs() { # a directory in memory into rb_shm
  for rb_shm in /dev/shm /run; do
    rb_t=
    while read -r _ rb_m rb_fs _; do [ "$rb_m" = "$rb_shm" ] && rb_t=$rb_fs; done </proc/mounts
    case $rb_t in tmpfs | ramfs) [ -w "$rb_shm" ] && return 0 ;; esac
  done
  rb_shm=
  return 1
}
