# shellcheck shell=sh
# shellcheck disable=SC2154 # parameters come from the engine
# What looking at a file and swapping it have in common. `hidden` is true where the text is a secret: then no digest
# of it may leave the memory of the controller, and a version of the file is told by its inode and its time of change.

digest() { # FILE
  rb_sum=$(sha256sum <"$1") || return
  rb_text "${rb_sum%% *}"
}

seen() { # FILE: which version of it is there
  if [ ! -e "$1" ]; then
    rb_text absent
  elif [ "$hidden" = true ]; then
    TZ=UTC0 stat -L -c 'inode %i, %s bytes, %z' -- "$1"
  else
    digest "$1"
  fi
}
