#!/bin/sh
# The modes of the real entrypoint; anything else is a program to run.
case ${1:-registry} in
  registry | repomirror | registry-nomigrate | repomirror-nomigrate | migrate) exec python3 -m stand_in "$@" ;;
  *) exec "$@" ;;
esac
