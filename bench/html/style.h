// SPDX-License-Identifier: MIT
// The look of a report.
#pragma once

#include <string_view>

namespace farcall::bench::html {

// Colours: Okabe and Ito's, which people of any colour vision tell apart, darkened (light scheme) or
// lightened (dark scheme) to 3 : 1 against the ground at least. Dashes and marks say the same again.
constexpr std::string_view kStyle = R"css(
:root {
  color-scheme: light dark;
  --ground: #ffffff; --raised: #f5f6f8; --ink: #1b1f24; --muted: #57606a; --line: #d5d9df;
  --warn: #9a3b00; --warn-ground: #fff4ea;
  --blue: #0067a8; --red: #c44e00; --green: #007f5c; --purple: #a6449a; --ochre: #8a6a00; --grey: #4a5058;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --raised: #1d2126; --ink: #e4e7eb; --muted: #a3abb5; --line: #383e46;
    --warn: #ffb27a; --warn-ground: #33241a;
    --blue: #6cb8ee; --red: #ff9a56; --green: #35c79d; --purple: #e28fd3; --ochre: #e0bd3a; --grey: #bcc2c9;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1, h2, h3, h4 { line-height: 1.25; text-wrap: balance; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 1rem; padding-top: 1rem; border-top: 2px solid var(--ink); }
h2 small { font-weight: normal; font-size: .9rem; color: var(--muted); }
h3 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; }
h4 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
code { font: .875em/1.4 ui-monospace, "DejaVu Sans Mono", monospace; }
.note, figcaption { color: var(--muted); font-size: .875rem; margin: 0 0 .75rem; max-width: 46rem; }
figure { margin: 0; min-width: 0; }
ul, ol { margin: 0; padding-left: 1.25rem; }

.warnings, .skipped { border-left: 4px solid var(--line); background: var(--raised); padding: .75rem 1rem;
  margin: 0 0 1rem; }
.warnings { border-color: var(--warn); background: var(--warn-ground); }
.warnings h3, .skipped h3 { margin: 0 0 .25rem; font-size: 1rem; }
.warnings h3 { color: var(--warn); }

.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: .6rem 1.5rem; margin: 0; }
.facts dt { color: var(--muted); font-size: .8rem; }
.facts dt::first-letter { text-transform: uppercase; }
.facts dd { margin: 0; }

nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin-top: 1.5rem; font-size: .9rem; }
a { color: var(--blue); text-underline-offset: .2em; }

summary { cursor: pointer; color: var(--muted); font-size: .875rem; padding: .5rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; white-space: nowrap; overflow-wrap: normal; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--line); font-weight: normal; }
th:first-child { text-align: left; padding-left: 0; }
thead th { color: var(--muted); vertical-align: bottom; }

.rows { display: grid; grid-template-columns: fit-content(32rem) max-content minmax(16rem, 1fr);
  column-gap: 1rem; align-items: center; font-size: .9rem; }
.rows.ratios { grid-template-columns: minmax(14rem, 5fr) max-content max-content minmax(7rem, 2fr) minmax(13rem, 3fr); }
.row { display: contents; }
.row .value { text-align: right; font-weight: 600; white-space: nowrap; }
.another code, .another .value, .another .plot { margin-top: 8px; }
.boxes .row .value { font-weight: normal; }
.row .sure { white-space: nowrap; }
.row .expected { color: var(--muted); }
.row .key { display: none; }
.row .plot { position: relative; align-self: stretch; min-height: 26px; }
.row.axis .plot { grid-column: -2 / -1; min-height: 28px; }
.row.head span { color: var(--muted); font-size: .8rem; padding-bottom: .25rem; }
.ratios .row .name, .ratios .row .value, .ratios .row .sure, .ratios .row .expected { padding: .2rem 0; }

svg { overflow: visible; }
svg text { font: 12px system-ui, sans-serif; fill: var(--muted); font-variant-numeric: tabular-nums; }
text.x { text-anchor: middle; }
text.y { text-anchor: end; }
.strip { position: absolute; inset: 0; width: 100%; height: 100%; padding: 0 24px; }
.chart { display: block; width: 100%; height: 300px; padding: 8px 20px 28px 60px; }
.chart.small { height: 190px; }
.grid { stroke: var(--line); stroke-width: 1; }
.base { stroke: var(--muted); stroke-width: 1; }
.one { stroke: var(--muted); stroke-width: 1.5; }
.s0 { --c: var(--blue); --dash: none; }
.s1 { --c: var(--red); --dash: 7 3; }
.s2 { --c: var(--green); --dash: 2 3; }
.s3 { --c: var(--purple); --dash: 9 3 2 3; }
.s4 { --c: var(--ochre); --dash: 4 2; }
.s5 { --c: var(--grey); --dash: 12 4; }
.s6 { --c: var(--red); --dash: 2 2; }
.s7 { --c: var(--green); --dash: 12 3 3 3; }
.curve { fill: none; stroke: var(--c); stroke-width: 1.75; stroke-dasharray: var(--dash); stroke-linejoin: round;
  vector-effect: non-scaling-stroke; }
.s0.curve { stroke-width: 2.5; }
.mark path { fill: var(--c, currentColor); stroke: var(--ground); stroke-width: 1; }
.whisker { stroke: var(--c); stroke-width: 1.5; }
.box { fill: var(--c); fill-opacity: .28; stroke: var(--c); stroke-width: 1; }
.median { stroke: var(--c); stroke-width: 3; }
.part { fill: var(--c); stroke: var(--ground); stroke-width: 1; }
.legend { list-style: none; padding: 0; margin: 0 0 .75rem; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; }
.legend li { display: flex; align-items: center; gap: .5rem; min-width: 0; }
.sample { width: 36px; height: 14px; flex: none; }
.pair { display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); gap: 1rem 2.5rem; }
.multiples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); gap: 1rem 1.5rem; }
.multiples.wide { grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)); }

.stack { display: block; width: 100%; height: 30px; }
.stack text { text-anchor: middle; fill: var(--ground); font-weight: 600; }
.beside { display: flex; flex-wrap: wrap; gap: .5rem 2.5rem; margin-top: .5rem; font-size: .9rem; }
.parts { display: flex; flex-wrap: wrap; gap: .15rem 3rem; flex: 1 1 30rem; }
.swatch { width: 12px; height: 12px; margin-right: .4rem; }
.counts { list-style: none; padding: 0; flex: 0 1 auto; }

@media (max-width: 60rem) { .pair { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 54rem) {
  .rows, .rows.ratios { display: block; }
  .row { display: grid; grid-template-columns: minmax(0, 1fr) max-content; gap: 0 1rem; padding: .3rem 0; }
  .another .plot { margin-top: 0; }
  .facts { grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); }
  .row .plot, .row.axis .plot { grid-column: 1 / -1; }
  .row .plot { min-height: 24px; }
  .row.head { display: none; }
  .row.axis { padding: 0; }
  .ratios .row { border-top: 1px solid var(--line); padding: .5rem 0; }
  .ratios .row.axis { border-top: 0; padding: 0; }
  .ratios .row:not(.axis) { grid-template-columns: fit-content(60%) minmax(0, 1fr) max-content; }
  .ratios .row .name { grid-column: 1 / 3; }
  .ratios .row .sure { grid-row: 2; white-space: normal; }
  .ratios .row .expected { grid-column: 2 / 4; text-align: right; }
  .row .key { display: inline; color: var(--muted); }
}
@media print { figure, .row { break-inside: avoid; } }
)css";
// HTML and XML read them differently in a style sheet.
static_assert(kStyle.find_first_of("<>&") == std::string_view::npos);

}  // namespace farcall::bench::html
