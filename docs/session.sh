#!/bin/sh
# Records the session in docs/dev.md: runs the story of `make dev` and puts what it prints, shortened to one line
# of each kind in a chapter, between the markers. Run it after a change of what is printed.
set -eu
cd "$(dirname "$0")/.."
raw=$(mktemp) && short=$(mktemp)
trap 'rm -f "$raw" "$short"' EXIT
NO_COLOR=1 go run ./cmd/controller dev --script > "$raw"
awk '
	/^$/ { delete seen; next }
	/leads, in sync|no leader, in sync/ {
		reason = $0; sub(/.*leader epoch [0-9]+: /, "", reason); gsub(/[0-9]+/, "N", reason)
		if (reason in seen) next
		seen[reason] = 1
	}
	/ and [0-9]+ more$/ { next }
	/is registered$|registration of broker/ { next }
	{ print }
' "$raw" > "$short"
awk -v file="$short" '
	/^<!-- session -->$/ { print; print "```"; while ((getline line < file) > 0) print line; print "```"; skip = 1; next }
	/^<!-- end of session -->$/ { skip = 0 }
	!skip { print }
' docs/dev.md > "$raw"
cat "$raw" > docs/dev.md
