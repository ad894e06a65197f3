# shellcheck shell=sh
# shellcheck disable=SC2154 # parameters come from the engine
# The text of a file that may hold a secret. That something cannot be seen does not mean that it is not there.
seen "$path"
if [ -e "$path" ]; then
  [ -f "$path" ] || fail "$path is not a file"
  [ -r "$path" ] || fail "$path cannot be read by this account"
  size=$(wc -c <"$path")
  [ "$size" -le "$most" ] || fail "$path is larger than $most bytes"
  output size "$((size))" # some write blanks before it
  text=$(cat <"$path" && echo x)
  output text "${text%x}"
fi
