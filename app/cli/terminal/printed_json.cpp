// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal/printed_json.h"

#include <cstdint>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/utf8.h"

namespace natscope {
namespace {

nlohmann::json in_unicode(nlohmann::json value) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    return valid_utf8(text) ? value : nlohmann::json(printable(text, SIZE_MAX));
  }
  if (value.is_structured()) {
    for (auto& part : value) part = in_unicode(std::move(part));
  }
  return value;
}

}  // namespace

std::string printed_json(const nlohmann::json& value) {
  // A key that is no UTF-8 would be a defect, and is no reason to throw away a result.
  return in_unicode(value).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace natscope
