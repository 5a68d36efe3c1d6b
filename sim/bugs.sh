#!/bin/sh
# Plants each bug of sim/testdata/bugs in a copy of the tree and prints which rung of the tests catches it:
#   units     exhaustive small cases, planner scenarios, the campaign, zkstore on its fakes
#   coresim   the planner in its own simulation
#   sim       everything, on the embedded ZooKeeper and simulated brokers; SEEDS of them, 150 if not given
# Exit code 1 if a bug is caught by none. With arguments only the bugs named: sim/bugs.sh unfenced-write
set -u
cd "$(dirname "$0")/.." || exit 2
root=$PWD copy=$(mktemp -d) seeds=${SEEDS:-150} missed=0
trap 'rm -rf "$copy"' EXIT
git ls-files -co --exclude-standard | grep -v '^e2e/[^l]' | tar -cf - -T - | tar -xf - -C "$copy"
cd "$copy" || exit 2

# rung NAME COMMAND...: "caught" when the command fails, "build!" when the patched tree does not compile.
rung() {
	if "$@" > "$copy/out" 2>&1; then printf ' %-8s' -; return; fi
	if grep -q 'build failed' "$copy/out"; then printf ' %-8s' build!; return; fi
	printf ' %-8s' caught
	found=1
}

printf '%-30s %-8s %-8s %-8s %s\n' bug units coresim sim 'what it is'
for patch in "$root"/sim/testdata/bugs/*.patch; do
	name=$(basename "$patch" .patch)
	case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
	patch -p1 -s < "$patch" || exit 2
	found=0
	printf '%-30s' "$name"
	rung go test -short -timeout 2m ./isr ./partition ./cluster ./planner ./zkstore ./node
	rung go test -short -timeout 2m ./planner/internal/coresim
	rung timeout 180 go test -short -timeout 2m ./sim -run TestSeeds -seeds "$seeds" -failfast
	printf ' %s\n' "$(head -n 1 "$patch")"
	[ $found = 1 ] || missed=1
	patch -p1 -s -R < "$patch" || exit 2
done
exit $missed
