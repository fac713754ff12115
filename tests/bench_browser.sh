#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A report in a real browser, at a phone's width and a desk's, light and dark: nothing is wider than the page, no label is cut
# off or lies on another, nothing is loaded and the console is silent (bench_browser.html measures). Then that it would notice.
#   bench_browser.sh FARCALL EXAMPLE_RECORD DIRECTORY     leaves the report and pictures of it in the directory
set -euo pipefail
farcall=$1 example=$2 out=$3
checker=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)/bench_browser.html

if ! command -v chromium >/dev/null; then
  echo "SKIPPED: there is no chromium here to look at a report with (scripts/setup.sh --tests installs it)"
  exit 77
fi
mkdir -p "$out"
out=$(cd -- "$out" && pwd)
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT

# browser OPTION…: one run without a screen, which keeps to itself.
browser() {
  local options=(--headless --disable-gpu --hide-scrollbars --user-data-dir="$profile" --allow-file-access-from-files
    --disable-background-networking --disable-component-update --no-first-run --enable-logging=stderr
    --host-resolver-rules='MAP * ~NOTFOUND')
  ((EUID != 0)) || options+=(--no-sandbox)
  HOME=$profile timeout -k 5 60 chromium "${options[@]}" "$@" 2>"$out/browser.log"
}

# measure REPORT WIDTH SCHEME: what the checker says in $verdict.
measure() {
  local scheme=()
  [[ $3 == light ]] || scheme=(--blink-settings=preferredColorScheme=0)
  browser "${scheme[@]}" --window-size=1400,900 --dump-dom "file://$checker?width=$2&report=file://$1" >"$out/measured.html" ||
    { cat "$out/browser.log"; echo "chromium failed"; exit 1; }
  verdict=$(sed -n '/^<pre id="verdict">/,$ { s/^<pre id="verdict">//; /<\/pre>/ { s/<\/pre>.*//; p; q }; p }' "$out/measured.html")
}

for name in example empty; do
  if [[ $name == example ]]; then
    "$example" >"$out/$name.json"
    "$farcall" bench report "$out/$name.json" "$out/$name.json" --html "$out/$name.html" --csv "$out/$name.csv"
  else
    echo '{"schema":3,"bench":"none","version":"0","machine":{},"results":[],"ratios":{},"ratio_rounds":{},"splits":[],
      "warnings":[],"skipped":[]}' >"$out/$name.json"
    "$farcall" bench report "$out/$name.json" --html "$out/$name.html"
  fi
  for width in 360 1280; do
    for scheme in light dark; do
      measure "$out/$name.html" $width $scheme
      echo "$name, $width, $scheme: $verdict"
      [[ $verdict == measured:*", $scheme, 0 wrong"* ]] || exit 1
      if grep CONSOLE "$out/browser.log"; then echo "the console is not silent"; exit 1; fi
    done
  done
done
# It had something to look at.
measure "$out/example.html" 360 light
grep -qE 'measured: [0-9]{3,} charts, [0-9]{3,} labels' <<<"$verdict"

# spoiled EXPRESSION WORDS: the checker finds the fault that sed makes.
spoiled() {
  sed "$1" "$out/example.html" >"$out/spoiled.html"
  measure "$out/spoiled.html" 360 light
  grep -q "WRONG: .*$2" <<<"$verdict" || { echo "not noticed after $1: $verdict"; exit 1; }
}
spoiled 's|</main>|<p style="width:500px">x</p></main>|' 'the page is'
spoiled 's|dy="1.7em"|dy="0.5em"|g' 'overlap'
spoiled 's|max-width: 54rem|max-width: 9px|; s|minmax(14rem, 5fr)|minmax(0, 5fr)|' 'squeezed'
spoiled 's|28px 60px; }|28px 42px; }|' 'outside its chart'
spoiled 's|</main>|<b></main>|' 'not well-formed'
spoiled 's|default-src .none.;|img-src *;|; s|</main>|<img src="http://farcall.invalid/x.png"/></main>|' 'it loads http://farcall'
spoiled 's|--muted: #57606a|--muted: #d7d7d7|' 'contrast'
grep -q CONSOLE "$out/browser.log" && { echo "a colour made the console speak"; exit 1; }
sed 's|</main>|<script>1</script></main>|' "$out/example.html" >"$out/spoiled.html"
measure "$out/spoiled.html" 360 light
grep -q CONSOLE "$out/browser.log" || { echo "what the policy forbids was not on the console"; exit 1; }

for width in 360 1280; do
  browser --window-size=$width,3000 --screenshot="$out/example-$width.png" "file://$out/example.html" >/dev/null
  [[ -s $out/example-$width.png ]]
done
echo "reports and their pictures are in $out"
