#include "wildrayzer/evaluation/html_page.h"

#include <array>

namespace wildrayzer {
namespace {

constexpr char kHead[] = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 80rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #8884; padding: .25rem .6rem; text-align: right; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
td small { display: block; opacity: .65; white-space: nowrap; font-weight: 400; }
th.group { text-align: center; border-left: 1px solid #8884; }
td.best { font-weight: 700; }
.wide { overflow-x: auto; }
table.sortable th { cursor: pointer; user-select: none; }
table.sortable th[aria-sort]::after { content: " \25B4"; }
table.sortable th[aria-sort=descending]::after { content: " \25BE"; }
.row { display: flex; gap: .5rem; overflow-x: auto; margin: .25rem 0 .75rem; }
figure { margin: 0; flex: none; } figure img { display: block; height: 140px; image-rendering: auto; }
figcaption, .note { font-size: .85em; opacity: .75; }
.charts { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; }
svg text { fill: currentColor; font: 12px system-ui, sans-serif; }
</style>
)";

}  // namespace

std::string HtmlText(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string HtmlPageStart(const std::string& title) {
  return kHead + ("<title>" + HtmlText(title)) + "</title></head><body>\n<h1>" + HtmlText(title) + "</h1>\n";
}

const char* LineColor(size_t index) {
  constexpr std::array<const char*, 7> kColors = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                  "#E69F00", "#56B4E9", "#999999"};
  return kColors[index % kColors.size()];
}

}  // namespace wildrayzer
