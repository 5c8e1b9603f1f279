#!/bin/sh
# Runs two commands at once, prints what the first says when both have ended, and fails when one of them fails.
set -u
said=$(mktemp)
trap 'rm -f "$said"' EXIT
sh -c "$1" >"$said" 2>&1 &
first=$!
trap 'kill "$first" 2>/dev/null; exit 130' INT TERM
sh -c "$2"
second_code=$?
wait "$first"
first_code=$?
cat "$said"
[ "$first_code" = 0 ] && [ "$second_code" = 0 ]
