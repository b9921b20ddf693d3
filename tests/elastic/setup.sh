#!/usr/bin/env bash
# Fetches what the Elastic tests run against: the jars of a search server (Maven) into .cache/elastic/lib.
# Needs Java 17 or later and Maven; does nothing when the jars are there.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache="$(cd "$here/../.." && pwd)/.cache/elastic"
stamp="$cache/lib/.complete"
if [ -e "$stamp" ] && cmp -s "$stamp" "$here/server/pom.xml"; then
  exit 0
fi
rm -rf "$cache/lib"
mkdir -p "$cache"
mvn --batch-mode --quiet --file "$here/server/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/lib"
cp "$here/server/pom.xml" "$stamp"
