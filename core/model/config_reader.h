// SPDX-License-Identifier: GPL-3.0-or-later
/// Typed, range-checked values of a JSON object; every refusal names the key. For config files.
///
///     ConfigReader read(json, ErrorCode::bad_config, "config.json");
///     NATSCOPE_TRY(config.layers, read.integer("num_hidden_layers", 1, 1024));
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"

namespace natscope {

/// Keeps a reference to the object. A key whose value is null counts as absent, as in Hugging Face's files.
class ConfigReader {
 public:
  ConfigReader(const nlohmann::json& object, ErrorCode code, std::string what);

  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  /// Whether the key stands there at all, even as null.
  [[nodiscard]] bool mentions(std::string_view key) const;
  /// nullptr when absent or null.
  [[nodiscard]] const nlohmann::json* find(std::string_view key) const;

  [[nodiscard]] Expected<int> integer(std::string_view key, int min, int max) const;
  [[nodiscard]] Expected<int> integer_or(std::string_view key, int fallback, int min, int max) const;
  [[nodiscard]] Expected<double> number(std::string_view key, double min, double max) const;
  [[nodiscard]] Expected<double> number_or(std::string_view key, double fallback, double min, double max) const;
  [[nodiscard]] Expected<bool> boolean_or(std::string_view key, bool fallback) const;
  [[nodiscard]] Expected<std::string> text(std::string_view key) const;
  [[nodiscard]] Expected<std::string> text_or(std::string_view key, std::string fallback) const;
  [[nodiscard]] Expected<std::vector<std::string>> texts_or_none(std::string_view key) const;
  /// One integer, a list of them, or none.
  [[nodiscard]] Expected<std::vector<std::int32_t>> integers_or_none(std::string_view key, int min, int max) const;

  [[nodiscard]] Unexpected refuse(std::string_view key, const std::string& why) const;
  [[nodiscard]] const std::string& what() const { return what_; }

 private:
  const nlohmann::json& object_;
  ErrorCode code_;
  std::string what_;
};

}  // namespace natscope
