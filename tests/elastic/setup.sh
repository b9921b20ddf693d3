#!/usr/bin/env bash
# Fetches what the Elastic tests run against, with Maven: the jars of a search server into .cache/elastic/lib, JRuby into .cache/elastic/jruby.
# Needs Java 17 or later and Maven; does nothing when the jars are there.
# Without them it says so and ends well: the tests are then skipped.
set -euo pipefail
if ! command -v java >/dev/null || ! command -v mvn >/dev/null; then
  echo "no java or no mvn: the tests against a search server will be skipped"
  exit 0
fi
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache="$(cd "$here/../.." && pwd)/.cache/elastic"
jruby=9.4.14.0
if [ ! -e "$cache/jruby/$jruby" ]; then
  rm -rf "$cache/jruby"
  mkdir -p "$cache/jruby"
  mvn --batch-mode --quiet dependency:get -Dartifact="org.jruby:jruby-complete:$jruby" -Dtransitive=false
  mvn --batch-mode --quiet dependency:copy -Dartifact="org.jruby:jruby-complete:$jruby" -DoutputDirectory="$cache/jruby" -Dmdep.stripVersion=true
  touch "$cache/jruby/$jruby"
fi
stamp="$cache/lib/.complete"
if [ -e "$stamp" ] && cmp -s "$stamp" "$here/server/pom.xml"; then
  exit 0
fi
rm -rf "$cache/lib"
mkdir -p "$cache"
mvn --batch-mode --quiet --file "$here/server/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/lib"
cp "$here/server/pom.xml" "$stamp"
