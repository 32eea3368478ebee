// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/json/json_limits.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/base/small_file.h"

namespace natscope {
namespace {

using Json = nlohmann::json;

/// Builds the document from parse events. The parser itself keeps its nesting on the heap, and this stops it at the
/// first event over a limit, so the text never decides about the stack.
class LimitedBuilder final : public nlohmann::json_sax<Json> {
 public:
  explicit LimitedBuilder(JsonLimits limits) : limits_(limits) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return refuse("binary data"); }

  bool start_object(std::size_t /*size*/) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t /*size*/) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    const auto [place, is_new] = open_.back()->get_ref<Json::object_t&>().try_emplace(name);
    if (!is_new) return refuse("the key \"" + printable(name, 80) + "\" stands twice");
    slot_ = &place->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*token*/, const Json::exception& why) override {
    constexpr int out_of_range = 406;  // as the library numbers its exceptions
    const bool is_number = why.id == out_of_range;
    return refuse((is_number ? "a number too large, up to byte " : "no JSON at byte ") + std::to_string(position));
  }

  Json document;
  std::string problem;

 private:
  bool refuse(std::string why) {
    problem = std::move(why);
    return false;
  }

  bool add(Json value) {
    if (++values_ > limits_.max_values) return refuse("more than " + std::to_string(limits_.max_values) + " values");
    place(std::move(value));
    return true;
  }

  bool open(Json container) {
    if (open_.size() >= limits_.max_depth) {
      return refuse("nested deeper than " + std::to_string(limits_.max_depth) + " levels");
    }
    if (++values_ > limits_.max_values) return refuse("more than " + std::to_string(limits_.max_values) + " values");
    open_.push_back(&place(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  Json& place(Json value) {
    if (open_.empty()) return document = std::move(value);
    if (open_.back()->is_array()) {
      auto& array = open_.back()->get_ref<Json::array_t&>();
      return array.emplace_back(std::move(value));
    }
    return *slot_ = std::move(value);
  }

  JsonLimits limits_;
  std::size_t values_ = 0;
  // Pointers into the document stay valid: only the innermost open container grows, and it holds no open one.
  std::vector<Json*> open_;
  Json* slot_ = nullptr;
};

}  // namespace

Expected<Json> parse_json(std::string_view text, JsonLimits limits, std::string what) {
  const auto refuse = [&](const std::string& why) { return fail(ErrorCode::bad_json, what + ": " + why); };
  if (text.size() > limits.max_bytes) return refuse("more than " + std::to_string(limits.max_bytes) + " bytes");
  // The library takes a zero byte for the end and would not look at what follows.
  if (text.find('\0') != std::string_view::npos) return refuse("a zero byte");
  LimitedBuilder builder(limits);
  try {
    if (!Json::sax_parse(text, &builder)) return refuse(builder.problem);
  } catch (const Json::exception&) {
    return refuse("no JSON");
  }
  return std::move(builder.document);
}

Expected<Json> read_json_file(const std::filesystem::path& path, JsonLimits limits) {
  auto text = read_small_file(path, limits.max_bytes);
  if (!text && text.error().code == ErrorCode::file_too_large) {
    return fail(ErrorCode::bad_json, std::move(text).error().message);
  }
  if (!text) return Unexpected(std::move(text).error());
  return parse_json(*text, limits, path.string());
}

Expected<Json> read_settings_file(const std::filesystem::path& path, ErrorCode code) {
  auto json = read_json_file(path);
  if (!json) {
    Error error = std::move(json).error();
    if (error.code == ErrorCode::file_not_found && !path_exists(path)) return Json();
    if (error.code == ErrorCode::bad_json) return fail(code, error.message);
    return Unexpected(std::move(error));
  }
  if (!json->is_object()) return fail(code, path.filename().string() + " holds no object");
  return json;
}

Expected<std::string> json_file_text(const Json& value, const std::string& what) {
  try {
    return value.dump(2) + "\n";
  } catch (const Json::exception&) {
    return fail(ErrorCode::usage, "a path or name that is not UTF-8 cannot be written to " + what,
                "give the file or folder another name");
  }
}

}  // namespace natscope
