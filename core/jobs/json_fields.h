// SPDX-License-Identifier: GPL-3.0-or-later
/// Keys of one JSON object, each of one type; what is null is absent. Private to core/jobs.
///
///     std::string wrong;
///     JsonFields fields(object, wrong);
///     step.number = fields.count("step");
///     if (!wrong.empty()) …  // the first key that is missing or has an impossible value; the others were read
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace natscope::jobs {

class JsonFields {
 public:
  /// Both must outlive this. Objects within each other share `wrong`.
  JsonFields(const nlohmann::json& object, std::string& wrong) : object_(object), wrong_(wrong) {}

  /// Null where the key is absent.
  [[nodiscard]] const nlohmann::json* find(const char* key) const;
  void refuse(const char* key);

  /// Whole numbers from 0 to 2^53.
  [[nodiscard]] std::optional<std::int64_t> optional_count(const char* key);
  [[nodiscard]] std::int64_t count(const char* key);
  [[nodiscard]] std::optional<double> optional_number(const char* key);
  [[nodiscard]] double number(const char* key);
  /// Empty where the key is absent.
  [[nodiscard]] std::string text(const char* key, std::size_t max_bytes = 4096);

 private:
  const nlohmann::json& object_;
  std::string& wrong_;
};

}  // namespace natscope::jobs
