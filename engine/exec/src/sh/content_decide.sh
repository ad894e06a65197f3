# shellcheck shell=sh
# shellcheck disable=SC2154 # parameters come from the engine, the others from the look before this
# Whether a file is as it should be, decided on its host by the rules of the controller. Parameters: `want`, `owner`,
# `group`, `mode`, empty where they are kept; `create_only`, true where any file will do. The look has left mode, owner,
# uid, group and gid in $1 to $5.

if [ "$rb_seen" = absent ]; then
  differs absent
elif [ "$create_only" != true ]; then
  if [ "$sum" != "$want" ]; then differs text; fi
  if [ -n "$mode" ] && [ "$((0$1))" -ne "$((0$mode))" ]; then differs mode; fi
  if [ -n "$owner" ] && [ "$owner" != "$2" ] && [ "$owner" != "$3" ]; then differs owner; fi
  if [ -n "$group" ] && [ "$group" != "$4" ] && [ "$group" != "$5" ]; then differs group; fi
fi
