// The page that shows a result: one self-contained HTML file (pictures and video embedded), no network
// needed.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace wildrayzer {

// Writes `data` into the page's template and saves it atomically. Expected members (see result_page.html):
//   facts: string; resolution: string ("256 x 256"); warnings: [string]; timings: [[stage, seconds]];
//   photos: [{name, role, photo, overlay, clean}] and views: [{name, image}], pictures as data URLs (empty:
//   not made); video: data URL or empty; cameras: as in cameras.json.
void WriteResultPage(const std::filesystem::path& path, const nlohmann::ordered_json& data);

}  // namespace wildrayzer
