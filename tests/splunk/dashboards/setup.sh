#!/bin/sh
# Installs what the dashboard tests need: Splunk's dashboard packages from npm (exact versions, package-lock.json) into .cache/, and
# Chromium with a font from Debian. Run as root where Chromium is missing. Nothing of it goes into the app.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=$(cd "$here/../../.." && pwd)/.cache/splunk-dashboards

missing=
command -v chromium >/dev/null || missing="$missing chromium"
fc-list 2>/dev/null | grep -q DejaVuSans || missing="$missing fontconfig fonts-dejavu-core"
if [ -n "$missing" ]; then
    apt-get update -qq
    # shellcheck disable=SC2086 - two words are two packages
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

mkdir -p "$cache"
if ! cmp -s "$here/package-lock.json" "$cache/installed.json"; then
    cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$cache/"
    (cd "$cache" && npm ci --ignore-scripts --no-audit --no-fund --silent)
    cp "$here/package-lock.json" "$cache/installed.json"
fi

# No "type": "module" in package.json: esbuild would then hand out default imports as module objects.
NODE_PATH="$cache/node_modules" "$cache/node_modules/.bin/esbuild" "$here/page.jsx" --bundle --minify --format=iife \
    --define:process.env.NODE_ENV='"production"' --log-level=error --outfile="$cache/page.js"
