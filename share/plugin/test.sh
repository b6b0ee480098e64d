#!/bin/sh
# Builds what is to be built and runs test.lua in a daemon of its own. BRICKS: the program.
set -eu
cd "$(dirname "$0")"
bricks=${BRICKS:-PROGRAM}
if [ -f Makefile ]; then make -s BRICKS="$bricks"; fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$bricks" --run-dir "$folder" -f test.lua </dev/null
