# shellcheck shell=sh
# shellcheck disable=SC2154 # parameters come from the engine
# Whether something is there.
seen "$path"
if [ -e "$path" ]; then output there true; fi
