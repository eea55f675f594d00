// The page that shows a result: one self-contained HTML file (pictures and video embedded), no network
// needed.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace wildrayzer {

// Writes `data` into the page's template and saves it atomically. Expected members (see result_page.html):
//   facts: string; warnings: [string]; timings: [[stage, seconds]]; views: [{name, image}];
//   photos: [{name, role, overlay}] and, where there are clean ones, width and height of the photo, photo,
//   clean, source, cut (percent of the
//   width), shares: {own, other_photos, rendered}, and beside photos legend: [{colour, meaning}];
//   video: data URL or empty; cameras: as in cameras.json. Pictures are data URLs (empty: not made).
void WriteResultPage(const std::filesystem::path& path, const nlohmann::ordered_json& data);

}  // namespace wildrayzer
