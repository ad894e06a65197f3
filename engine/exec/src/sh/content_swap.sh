# shellcheck shell=sh
# shellcheck disable=SC2154 # parameters come from the engine
# Puts a text in the place of a file, if the file is still the one that was looked at. Parameters: `path`; `text`;
# `want`, its digest; `expect`, the version that was looked at; `owner`, `group`, `mode`, empty where they are kept;
# `validate`, words of a command; `hidden`.

need sha256sum stat mktemp

unchanged() {
  # `resume` is what looks again
  if ! seen "$target" || [ "$rb_seen" != "$expect" ]; then
    fail "$path was changed by somebody else after it was looked at, so it was left as it is; \`resume\` looks again"
  fi
}

follow
unchanged

temp=
trap '[ -z "$temp" ] || rm -f -- "$temp"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
beside
rb_text "$text" >"$temp" || fail "the text cannot be written in $dir"
if ! digest "$temp" || [ "$rb_digest" != "$want" ]; then fail "the text did not arrive as it was sent"; fi

if [ -e "$target" ]; then
  # shellcheck disable=SC2046 # three words, without blanks in them
  set -- $(stat -L -c '%u %g %a' -- "$target")
  : "${owner:=$1}" "${group:=$2}" "${mode:=$3}"
fi
if [ -n "$owner" ]; then chown -- "$owner" "$temp" || fail "it cannot be given to the owner $owner"; fi
if [ -n "$group" ]; then chgrp -- "$group" "$temp" || fail "it cannot be given to the group $group"; fi
# a new one is 0600
if [ -n "$mode" ] && [ "$((0$mode))" -ne 384 ]; then chmod -- "$mode" "$temp" || fail "it cannot be given the mode $mode"; fi
context "$temp"

eval "set -- $validate"
if [ $# -gt 0 ]; then
  need "$1"
  words=$#
  while [ "$words" -gt 0 ]; do
    word=$1
    shift
    [ "$word" != '{}' ] || word=$temp
    set -- "$@" "$word"
    words=$((words - 1))
  done
  status=0
  if [ "$hidden" = true ]; then
    # it could print the text
    command "$@" 3>&- >/dev/null 2>&1 || status=$?
  else
    command "$@" 3>&- || status=$?
  fi
  [ "$status" -eq 0 ] || fail "\`$1\` refused the new text with status $status, so $path was left as it is"
  if ! digest "$temp" || [ "$rb_digest" != "$want" ]; then fail "\`$1\` changed the new text, so $path was left as it is"; fi
fi

# until something was written, what is there is what was there before
if [ ! -e "$rb_store/file.wrote" ] && [ -e "$rb_store/file.was" ]; then rm -f -- "$rb_store/file.was"; fi
rb_put_aside file "$target" ''
unchanged
# it is known as ours before it can be there
written "$temp"
{ rb_text "$rb_written
" >>"$rb_store/file.wrote"; } 2>/dev/null || fail "$path cannot be kept for undo: is the disk full?"
rb_durable "$temp" "$rb_store/file.wrote" "$rb_store/file.was" "$rb_store" "${rb_store%/*}" "${rb_store%/*/*}"
if [ "$expect" = absent ] && ln -- "$temp" "$target" 2>/dev/null; then
  # a file that came in between would have made `ln` fail
  rm -f -- "$temp"
else
  unchanged
  mv -f -- "$temp" "$target"
fi
temp=
sync -- "$dir" 2>/dev/null || :
