# shellcheck shell=sh
# shellcheck disable=SC2154,SC2034 # parameters come from the engine, and `temp` is used by what comes after
# What looking at a file and swapping it have in common. `hidden` is true where the text is a secret: then no digest
# of it may leave the memory of the controller, and a version of the file is told by its inode and its time of change.
# `id` is of the path.

digest() { # FILE: its digest into rb_digest; variables, because a subshell costs a fork
  rb_digest=$(sha256sum <"$1") || return
  rb_digest=${rb_digest%% *}
}

seen() { # FILE: which version of it is there, into rb_seen
  if [ ! -e "$1" ]; then
    rb_seen=absent
  elif [ "$hidden" = true ]; then
    rb_seen=$(TZ=UTC0 stat -L -c 'inode %i, %s bytes, %z' -- "$1")
  else
    digest "$1" || return
    rb_seen=$rb_digest
  fi
}

written() { # FILE: what a file that was written is known by later, under any name in its file system, into rb_written
  if [ "$hidden" = true ]; then
    rb_written=$(TZ=UTC0 stat -c 'inode %i, %s bytes, %y' -- "$1")
  else
    digest "$1" || return
    rb_written=$rb_digest
  fi
}

follow() { # the file at the end of links into target, its directory into dir
  if [ -d "$path" ]; then fail "$path is a directory"; fi
  target=$path
  hops=0
  # not `readlink -f`: some refuse a link whose target is not there yet
  while [ -L "$target" ]; do
    hops=$((hops + 1))
    [ "$hops" -le 40 ] || fail "$path is a link that leads nowhere"
    need readlink
    next=$(readlink -- "$target" && echo x) || fail "the link $target cannot be read"
    # the newline that readlink adds, and the x that keeps all others here
    next=${next%?x}
    case $next in
    /*) target=$next ;;
    *) target=${target%/*}/$next ;;
    esac
  done
  dir=${target%/*}/
  [ -d "$dir" ] || fail "there is no directory $dir"
}

beside() { # a new file beside the target into temp; what a loss of power has left of an earlier one goes, it may hold secrets
  for rb_left in "$dir.runbook.$id".??????; do
    if [ -e "$rb_left" ]; then rm -f -- "$rb_left"; fi
  done
  temp=$(mktemp -- "$dir.runbook.$id.XXXXXX") || fail "no file can be created in $dir"
}

context() { # FILE: it gets the SELinux context of the target
  if [ -e "$target" ] && [ -e /sys/fs/selinux/enforce ] && have chcon; then
    chcon --reference="$target" -- "$1" || fail "it cannot be given the SELinux context of $target"
  fi
}
