#!/bin/sh
# Puts a recorded session between the markers of a page, README.md unless another is named:
#
#	NO_COLOR=1 make -s run < /dev/null | docs/session.sh
#
# Shortened: one election for each reason, and nothing that only says that all is well. Run it when what is printed has changed.
set -eu
page=${1:-$(dirname "$0")/../README.md}
short=$(mktemp) && new=$(mktemp)
trap 'rm -f "$short" "$new"' EXIT
awk '
	/leads, in sync|no leader, in sync/ {
		reason = $0; sub(/.*leader epoch [0-9]+: /, "", reason); gsub(/[0-9]+/, "N", reason)
		if (seen[reason]++) next
	}
	/^$| is registered$|registration of broker| messages acknowledged | starting |all replicas are|a producer writes| has gone;| it was asked for/ { next }
	{ print; last = $0 }
	END { if (last !~ /  done in /) { print "session.sh: the session has not come to a good end" > "/dev/stderr"; exit 1 } }
' > "$short"
awk -v file="$short" '
	/^<!-- session -->$/ { print; print "```"; while ((getline line < file) > 0) print line; print "```"; skip = 1; next }
	/^<!-- end of session -->$/ { skip = 0; found = 1 }
	!skip { print }
	END { if (!found) { print "session.sh: no markers in the page" > "/dev/stderr"; exit 1 } }
' "$page" > "$new"
cat "$new" > "$page"
