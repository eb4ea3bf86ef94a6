# SPDX-License-Identifier: Apache-2.0
"""The page that a report is put into: everything in it, nothing from elsewhere, no script."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { --ink: #1c2430; --soft: #5d6875; --line: #dfe4ea; --paper: #ffffff; --shade: #f5f7f9;
        --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--shade);
       font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
header { background: #16212e; color: #fff; padding: 26px 0 20px; }
header h1 { margin: 0 0 10px; font-size: 25px; font-weight: 650; letter-spacing: -0.01em; }
.page { max-width: 1320px; margin: 0 auto; padding: 0 28px; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(270px, 1fr));
     gap: 6px 26px; margin: 0; font-size: 13px; }
dl div { min-width: 0; }
dt { color: #9fb0c3; font-size: 11px; text-transform: uppercase; letter-spacing: 0.05em; }
dd { margin: 0; overflow-wrap: anywhere; }
nav { background: var(--paper); border-bottom: 1px solid var(--line); position: sticky; top: 0;
      z-index: 1; }
nav a { display: inline-block; padding: 10px 18px 10px 0; color: var(--accent); font-size: 14px;
        text-decoration: none; }
nav a:hover { text-decoration: underline; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 8px;
          margin: 22px 0; padding: 20px 24px 22px; scroll-margin-top: 48px; }
h2 { margin: 0 0 12px; font-size: 19px; font-weight: 650; }
p { margin: 10px 0; max-width: 86ch; color: var(--soft); }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(146px, 1fr)); gap: 12px;
           margin: 4px 0 10px; }
.number { border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; }
.number b { display: block; font-size: 26px; font-weight: 650; line-height: 1.2;
            font-variant-numeric: tabular-nums; }
.number span { display: block; font-size: 13px; }
.number i { display: block; font-style: normal; font-size: 12px; color: var(--soft); }
.scroll { overflow-x: auto; margin: 16px 0 4px; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0 0 6px; white-space: nowrap; }
th, td { padding: 4px 8px; text-align: right; white-space: nowrap; }
th { font-weight: 600; color: var(--soft); vertical-align: bottom; }
thead tr:last-child th { border-bottom: 1.5px solid var(--ink); }
th.group { text-align: center; border-bottom: 1px solid var(--line); color: var(--ink); }
tbody td { border-bottom: 1px solid var(--line); }
tbody tr:hover td { background: var(--shade); }
td.text, th.text { text-align: left; }
td.muted { color: var(--soft); }
th.first, td.first { border-left: 1px solid var(--line); }
.pictures { display: grid; gap: 18px; margin: 14px 0; align-items: start; }
.columns-2 { grid-template-columns: repeat(2, 1fr); }
.columns-3 { grid-template-columns: repeat(3, 1fr); }
.columns-4 { grid-template-columns: repeat(4, 1fr); }
figure { margin: 0; }
figure img { display: block; max-width: 100%; height: auto; border-radius: 4px; }
figcaption { font-size: 12.5px; color: var(--soft); margin-top: 5px; overflow-wrap: anywhere; }
h3 { font-size: 14.5px; margin: 20px 0 6px; font-weight: 650; }
footer { color: var(--soft); font-size: 12px; padding: 0 0 26px; }
@media print { nav { display: none; } section { break-inside: avoid; } body { background: #fff; } }
"""

PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
<header><div class="page">
<h1>{{ title }}</h1>
<dl>
{%- for name, value in conditions.items() %}
<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>
{%- endfor %}
</dl>
</div></header>
{%- if sections %}
<nav><div class="page">
{%- for section in sections %}
<a href="#section-{{ loop.index }}">{{ section.title }}</a>
{%- endfor %}
</div></nav>
{%- endif %}
<main class="page">
{%- for section in sections %}
<section id="section-{{ loop.index }}">
<h2>{{ section.title }}</h2>
{%- for block in section.blocks %}
{%- if block.kind == "text" %}
<p>{{ block.text }}</p>
{%- elif block.kind == "heading" %}
<h3>{{ block.text }}</h3>
{%- elif block.kind == "numbers" %}
<div class="numbers">
{%- for item in block.entries %}
<div class="number"><span>{{ item.label }}</span><b>{{ item.value }}</b><i>{{ item.note }}</i></div>
{%- endfor %}
</div>
{%- elif block.kind == "table" %}
<div class="scroll"><table>
{%- if block.caption %}<caption>{{ block.caption }}</caption>{% endif %}
<thead>
{%- if block.groups %}
<tr>
{%- for name, span in block.groups %}
<th colspan="{{ span }}"{% if name %} class="group"{% endif %}>{{ name }}</th>
{%- endfor %}
</tr>
{%- endif %}
<tr>
{%- for cell in block.header %}<th class="{{ cell.style }}">{{ cell.text }}</th>{% endfor -%}
</tr>
</thead>
<tbody>
{%- for row in block.rows %}
<tr>
{%- for cell in row %}<td class="{{ cell.style }}">{{ cell.text }}</td>{% endfor -%}
</tr>
{%- endfor %}
</tbody>
</table></div>
{%- elif block.kind == "pictures" %}
<div class="pictures columns-{{ block.columns }}">
{%- for picture in block.pictures %}
<figure><img src="{{ picture.uri }}" alt="{{ picture.caption }}" width="{{ picture.width }}" \
height="{{ picture.height }}">
{%- if picture.caption %}<figcaption>{{ picture.caption }}</figcaption>{% endif -%}
</figure>
{%- endfor %}
</div>
{%- endif %}
{%- endfor %}
</section>
{%- endfor %}
</main>
</body>
</html>
"""
