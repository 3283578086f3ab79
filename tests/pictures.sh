#!/usr/bin/env bash
# Makes the pictures of the dashboard in docs/, and others to look at.
#
# It needs Chromium and its driver, as the tests do. What is to be looked at alone (narrow, dark, a
# cleanup, a thousand ports) goes into the folder that is named, or nowhere.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
GIT_PORT_PICTURES=$folder cargo test --locked --test suite -- --exact dashboard::browser::pictures --ignored
for picture in dashboard-light.webp dashboard-dark.webp; do
    cp "$folder/$picture" "docs/$picture"
done
if [ $# -eq 0 ]; then
    rm -r "$folder"
else
    ls "$folder"
fi
