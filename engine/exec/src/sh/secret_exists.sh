# Whether something is there.
seen "$path"
if [ -e "$path" ]; then output there true; fi
