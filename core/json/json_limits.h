// SPDX-License-Identifier: GPL-3.0-or-later
/// JSON from strangers: parsed with limits, never trusted with the stack. And our own, for files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/base/expected.h"

namespace natscope {

struct JsonLimits {
  std::size_t max_bytes = std::size_t{16} << 20;
  std::size_t max_depth = 64;
  std::size_t max_values = std::size_t{2} << 20;  ///< nulls, numbers, strings, arrays and objects together
};

/// Strict JSON (RFC 8259): UTF-8, no comments, no trailing text, no duplicate keys in an object, numbers in range.
/// `what` names the source in messages ("config.json"). Memory is bounded by
/// the text's size and max_values.
/// Errors: bad_json.
[[nodiscard]] Expected<nlohmann::json> parse_json(std::string_view text, JsonLimits limits, std::string what);

/// The same for a file. Errors: bad_json (also for a file over max_bytes), file_not_found, not_a_regular_file,
/// io_failure.
[[nodiscard]] Expected<nlohmann::json> read_json_file(const std::filesystem::path& path, JsonLimits limits = {});

/// The object in a file that need not be there: null without one. A link that leads nowhere is a broken download and an
/// error. Errors: `code` where the file holds no object; file_not_found, not_a_regular_file, io_failure.
[[nodiscard]] Expected<nlohmann::json> read_settings_file(const std::filesystem::path& path, ErrorCode code);

/// What a file of ours holds: indented, with a line break at its end. `what` names the file in messages.
/// Errors: usage (a text in it is not UTF-8, as the path of a file may be: JSON cannot hold that).
[[nodiscard]] Expected<std::string> json_file_text(const nlohmann::json& value, const std::string& what);

}  // namespace natscope
