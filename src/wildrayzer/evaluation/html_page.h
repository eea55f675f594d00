// What our self-contained HTML reports have in common.
#pragma once

#include <string>

namespace wildrayzer {

// Text that may come from anywhere (file names, error messages) made harmless inside elements and quoted
// attributes.
std::string HtmlText(const std::string& text);

// From the doctype to the end of the heading: a page in the reader's light or dark colours, with styles for
// tables (`td.best`, `td.text`, `table.sortable`, wide ones in `.wide`), rows of pictures (`.row`), charts
// side by side (`.charts`) and remarks (`.note`). Ends inside the body.
std::string HtmlPageStart(const std::string& title);

// Colours of the lines of a chart, one after the other, distinguishable also by people with red-green
// blindness (Okabe and Ito 2008).
const char* LineColor(size_t index);

}  // namespace wildrayzer
